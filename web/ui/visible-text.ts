/** Untrusted text made safe to look at: nothing in it can hide, move what follows, or be taken for something else. */

export interface Part {
  /** Place among the parts. */
  at: number;
  text: string;
  /** `odd`: stands for a character one would not see. `field`: names the field that failed. */
  look: 'plain' | 'odd' | 'field';
}

/** First and last code points of what shows nothing or changes its surroundings. */
const HIDDEN: readonly (readonly [number, number])[] = [
  [0x00, 0x1f], // controls
  [0x7f, 0x9f], // delete and more controls
  [0xad, 0xad], // soft hyphen
  [0x034f, 0x034f], // grapheme joiner
  [0x061c, 0x061c], // direction mark
  [0x115f, 0x1160], // empty Hangul
  [0x17b4, 0x17b5], // empty Khmer vowels
  [0x180b, 0x180f], // Mongolian selectors
  [0x200b, 0x200f], // zero width, direction marks
  [0x2028, 0x202f], // line separators, direction overrides, narrow space
  [0x205f, 0x206f], // invisible operators, direction isolates
  [0x3164, 0x3164], // empty Hangul
  [0xd800, 0xdfff], // half a pair
  [0xfe00, 0xfe0f], // variation selectors
  [0xfeff, 0xfeff], // byte-order mark
  [0xffa0, 0xffa0], // empty Hangul
  [0xfff0, 0xfffd], // annotations, replacement character
  [0xe0000, 0xe0fff], // tags
];

/** Behind a picture it only says in which style to draw it. */
const SELECTOR = /^[\ufe0e\ufe0f]$/;
const PICTURE = /^\p{Extended_Pictographic}$/u;

function isHidden(code: number): boolean {
  return HIDDEN.some(([first, last]) => code >= first && code <= last);
}

/** The same as one plain string, for labels, at most `longest` characters of the text. */
export function visibleText(text: string, longest: number): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return visibleParts(cut, null)
    .map((part) => part.text)
    .join('');
}

export function visibleParts(text: string, field: string | null): Part[] {
  const parts: Part[] = [];
  for (const { piece, isField } of splitAtField(text, field)) {
    let plain = '';
    const look = isField ? 'field' : 'plain';
    let before = '';
    for (const character of piece) {
      const hidden = isHidden(character.codePointAt(0) ?? 0) && !(SELECTOR.test(character) && PICTURE.test(before));
      before = character;
      if (!hidden) {
        plain += character;
        continue;
      }
      push(parts, plain, look);
      push(parts, symbolFor(character), 'odd');
      plain = '';
    }
    push(parts, plain, look);
  }
  return parts;
}

function push(parts: Part[], text: string, look: Part['look']): void {
  if (text !== '') parts.push({ at: parts.length, text, look });
}

const SHORT: Record<number, string> = { 0: '\\0', 9: '\\t', 10: '\\n', 13: '\\r', 65533: '\ufffd' };

/** As a programmer would write it in a string. Pictures of control characters are missing in many fonts. */
function symbolFor(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return SHORT[code] ?? (code > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`);
}

/** Cuts out the first mention of the field as a JSON key. */
function splitAtField(text: string, field: string | null): { piece: string; isField: boolean }[] {
  const key = field === null ? -1 : text.indexOf(`"${field}"`);
  if (field === null || key < 0) return [{ piece: text, isField: false }];
  const end = key + field.length + 2;
  return [
    { piece: text.slice(0, key), isField: false },
    { piece: text.slice(key, end), isField: true },
    { piece: text.slice(end), isField: false },
  ];
}
