/**
 * Decimal text to double, straight from bytes and correctly rounded for every input: what `Number(text)` gives, without the text.
 *
 *   digits (at most 18)      M = hi * 10^n + lo, an integer; exact as the sum of two doubles s + t
 *   M / 10^k                 t = 0 (up to 15 digits always): one division of exact operands, so rounded once
 *   else                     q = s / 10^k; the exact remainder by a two-product; q + (remainder + t) / 10^k
 *                            taken twice, a hair below and a hair above: when both round to the same double, that is the answer
 *   anything else            Number(text): exponents, more digits, the hair that decides (about one in 10^3 numbers of 17 digits)
 */

/** Powers of ten that a double holds exactly. */
const MAX_EXACT_POWER = 22;
const POWER = new Float64Array(MAX_EXACT_POWER + 1);
/** High and low half of each power (Veltkamp), for the two-product. */
const POWER_HIGH = new Float64Array(MAX_EXACT_POWER + 1);
const POWER_LOW = new Float64Array(MAX_EXACT_POWER + 1);
const SPLITTER = 2 ** 27 + 1;
for (let k = 0; k <= MAX_EXACT_POWER; k++) {
  const power = Number(`1e${k}`);
  const scaled = power * SPLITTER;
  const high = scaled - (scaled - power);
  POWER[k] = power;
  POWER_HIGH[k] = high;
  POWER_LOW[k] = power - high;
}

/** Relative error of the correction term stays below 2^-52; the two trials differ from it by four times as much. */
const BELOW = 1 - 2 ** -50;
const ABOVE = 1 + 2 ** -50;

/** Digits kept in one 32-bit integer. */
const HALF_DIGITS = 9;

/**
 * Reads a number of JSON's grammar that starts at `at` into `out[index]` and returns the position behind it, or -1 when there is none
 * (`out[index]` is then undefined). A number too large for a double gives an infinity. What may follow a number is for the caller to check.
 * Bounds: `bytes` must hold some byte that cannot continue a number (a line break, say) behind it.
 */
export function parseNumber(bytes: Uint8Array, at: number, out: Float64Array, index: number): number {
  let p = at;
  let c = bytes[p] as number;
  const negative = c === 45;
  if (negative) c = bytes[++p] as number;
  let digit = c - 48;
  if (digit >>> 0 > 9) return -1;

  let hi = digit;
  /** Digits from the first that is not zero on. */
  let digits = 0;
  let lo = 0;
  digit = (bytes[++p] as number) - 48;
  if (hi !== 0) {
    digits = 1;
    while (digit >>> 0 <= 9) {
      if (digits < HALF_DIGITS) hi = (hi * 10 + digit) | 0;
      else if (digits < 2 * HALF_DIGITS) lo = (lo * 10 + digit) | 0;
      digits++;
      digit = (bytes[++p] as number) - 48;
    }
  } else if (digit >>> 0 <= 9) {
    return -1;
  }

  let fraction = 0;
  if (digit === -2) {
    const first = ++p;
    digit = (bytes[p] as number) - 48;
    if (digit >>> 0 > 9) return -1;
    do {
      if (digits < HALF_DIGITS) hi = (hi * 10 + digit) | 0;
      else if (digits < 2 * HALF_DIGITS) lo = (lo * 10 + digit) | 0;
      if (digits !== 0 || digit !== 0) digits++;
      digit = (bytes[++p] as number) - 48;
    } while (digit >>> 0 <= 9);
    fraction = p - first;
  }

  // 'e' or 'E'
  if (digit === 53 || digit === 21) {
    digit = (bytes[++p] as number) - 48;
    if (digit === -5 || digit === -3) digit = (bytes[++p] as number) - 48;
    if (digit >>> 0 > 9) return -1;
    do digit = (bytes[++p] as number) - 48;
    while (digit >>> 0 <= 9);
    return fromText(bytes, at, p, out, index);
  }
  if (digits > 2 * HALF_DIGITS || fraction > MAX_EXACT_POWER) return fromText(bytes, at, p, out, index);

  let value: number;
  if (digits <= HALF_DIGITS) {
    value = fraction === 0 ? hi : hi / (POWER[fraction] as number);
  } else {
    // hi < 2^30 and the odd part of 10^9 is below 2^21, so the product is exact, and larger than lo.
    const a = hi * (POWER[digits - HALF_DIGITS] as number);
    const s = a + lo;
    const t = lo - (s - a);
    const power = POWER[fraction] as number;
    const q = s / power;
    value = q;
    if (t !== 0) {
      const product = q * power;
      const scaled = q * SPLITTER;
      const qHigh = scaled - (scaled - q);
      const qLow = q - qHigh;
      const pHigh = POWER_HIGH[fraction] as number;
      const pLow = POWER_LOW[fraction] as number;
      const productError = qLow * pLow - (product - qHigh * pHigh - qLow * pHigh - qHigh * pLow);
      const correction = (s - product - productError + t) / power;
      value = q + correction * BELOW;
      if (value !== q + correction * ABOVE) return fromText(bytes, at, p, out, index);
    }
  }
  out[index] = negative ? -value : value;
  return p;
}

function fromText(bytes: Uint8Array, start: number, end: number, out: Float64Array, index: number): number {
  // A text of a million digits is still one number; in pieces, because an argument list has an end.
  let text = '';
  for (let p = start; p < end; p += 4096) text += String.fromCharCode(...bytes.subarray(p, Math.min(end, p + 4096)));
  out[index] = Number(text);
  return end;
}
