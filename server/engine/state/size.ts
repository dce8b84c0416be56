/** How much memory plain data takes, roughly: V8's headers and pointers, and a few items of what holds many. */

const SAMPLE = 8;

export function sizeOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return 16 + value.length;
    case 'number':
      return 8;
    case 'object':
      return value === null ? 0 : sizeOfObject(value);
    default:
      return 8;
  }
}

function sizeOfObject(value: object): number {
  if (value instanceof Uint8Array) return 64 + value.length;
  if (Array.isArray(value)) return 32 + sizeOfItems(value, value.length);
  if (value instanceof Map) return 64 + sizeOfItems(value.keys(), value.size) + sizeOfItems(value.values(), value.size);
  if (value instanceof Set) return 64 + sizeOfItems(value, value.size);
  const fields = Object.values(value);
  return 24 + sizeOfItems(fields, fields.length);
}

function sizeOfItems(items: Iterable<unknown>, count: number): number {
  let sampled = 0;
  let size = 0;
  for (const item of items) {
    size += 8 + sizeOf(item);
    if (++sampled === SAMPLE) break;
  }
  return sampled === 0 ? 0 : (size / sampled) * count;
}
