/** Text from outside made fit for a terminal: nothing in it may move the cursor, change colours, hide or reorder what stands beside it. */

/**
 * Other than plain characters: control (Cc), format (Cf: zero-width, direction of text), lone surrogates (Cs), private use and unassigned
 * (Co, Cn), line and paragraph separators (Zl, Zp), and spaces that are not the space (Zs).
 */
const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/gu;

const SHORT = new Map([
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
]);

/** The text with everything that is not plainly visible written as an escape: `\n`, `\x1b`, `\u{202e}`. */
export function printable(text: string): string {
  // Most text is plain ASCII, and the classes of Unicode are slow to look up.
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(UNPRINTABLE, (character) => {
    const short = SHORT.get(character);
    if (short !== undefined) return short;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** A value for `name=value` lines: as it is when it is one plain word, else in quotes. */
export function word(text: string): string {
  if (/^[^\s"'=\\[\]]+$/.test(text) && printable(text) === text) return text;
  return `"${printable(text.replace(/["\\]/g, '\\$&'))}"`;
}

/** At most `width` characters, the last of them `…` where some are lost. */
export function shortened(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}
