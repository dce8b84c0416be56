/** Arrays of numbers as bytes of a checkpoint and back: little endian, as every machine that Node runs on. */

/** A copy. */
export function bytesOf(array: Float64Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
}

/** Fills an array of the length that was saved. */
export function copyInto(array: Float64Array | Int32Array, bytes: Uint8Array): void {
  if (bytes.length !== array.byteLength) {
    throw new RangeError(
      `The checkpoint has ${bytes.length} bytes where ${array.byteLength} belong: it is of another simulator.`,
    );
  }
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes);
}
