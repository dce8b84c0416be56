/**
 * Doubles to the shortest decimal that reads back to the same double: what `String(x)` gives, and `-0` for negative zero. Integers and
 * numbers of up to three decimals, most of what sensors give, are written digit by digit; the rest is `String`'s work.
 */

/** Bytes that any double fits into: the room to reserve before `putNumber`. */
export const LONGEST_NUMBER = 25;
const BILLION = 1e9;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;

/** The two digits of 0 .. 99. */
const TENS = Uint8Array.from({ length: 100 }, (_, i) => ZERO + Math.floor(i / 10));
const ONES = Uint8Array.from({ length: 100 }, (_, i) => ZERO + (i % 10));

/** Writes any double at `bytes[at ..]` and returns the position behind it; NaN and infinities as JavaScript spells them. */
export function putNumber(bytes: Uint8Array, at: number, value: number): number {
  let p = at;
  const magnitude = Math.abs(value);
  if (magnitude < BILLION) {
    const whole = magnitude | 0;
    if (whole === magnitude) {
      if (value < 0 || (whole === 0 && 1 / value < 0)) bytes[p++] = MINUS;
      return putInteger(bytes, p, whole);
    }
    // A decimal of at most 15 digits that a division of exact operands turns into this double is its shortest one.
    const thousandths = Math.round(magnitude * 1000);
    if (magnitude < 1e6 && thousandths / 1000 === magnitude) {
      if (value < 0) bytes[p++] = MINUS;
      p = putInteger(bytes, p, whole);
      const decimals = (thousandths - whole * 1000) | 0;
      const last = decimals % 10;
      const first = (decimals / 10) | 0;
      bytes[p++] = POINT;
      bytes[p++] = TENS[first] as number;
      if (last !== 0 || first % 10 !== 0) bytes[p++] = ONES[first] as number;
      if (last !== 0) bytes[p++] = ZERO + last;
      return p;
    }
  } else if (magnitude <= Number.MAX_SAFE_INTEGER && Number.isInteger(magnitude)) {
    let high = Math.floor(magnitude / BILLION);
    let low = magnitude - high * BILLION;
    // The quotient may have been rounded up to the next integer.
    if (low < 0) {
      high--;
      low += BILLION;
    }
    if (value < 0) bytes[p++] = MINUS;
    p = putInteger(bytes, p, high | 0);
    bytes.fill(ZERO, p, p + 9);
    putInteger(bytes, p + 9 - digitsOf(low | 0), low | 0);
    return p + 9;
  }
  const text = String(value);
  for (let i = 0; i < text.length; i++) bytes[p++] = text.charCodeAt(i);
  return p;
}

/** Writes an integer from 0 to 10^9 - 1. */
function putInteger(bytes: Uint8Array, at: number, value: number): number {
  const end = at + digitsOf(value);
  let p = end;
  let rest = value | 0;
  while (rest >= 10) {
    const hundredth = (rest / 100) | 0;
    const pair = rest - hundredth * 100;
    bytes[--p] = ONES[pair] as number;
    bytes[--p] = TENS[pair] as number;
    rest = hundredth;
  }
  if (p > at) bytes[p - 1] = ZERO + rest;
  return end;
}

function digitsOf(value: number): number {
  if (value < 10_000) {
    if (value < 100) return value < 10 ? 1 : 2;
    return value < 1000 ? 3 : 4;
  }
  if (value < 1_000_000) return value < 100_000 ? 5 : 6;
  if (value < 100_000_000) return value < 10_000_000 ? 7 : 8;
  return 9;
}
