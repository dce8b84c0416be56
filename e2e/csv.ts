/** A plain reader of RFC 4180, for tests. */

/** Rows of cells. Lines end with LF or CRLF; a quoted cell may hold both, and doubled quotes. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell: string;
    if (text[at] === '"') {
      const end = closingQuote(text, at + 1);
      cell = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      const end = nextOf(text, at, ',\n');
      cell = text.slice(at, end);
      if (cell.endsWith('\r') && text[end] !== ',') cell = cell.slice(0, -1);
      if (/["\r]/.test(cell)) throw new Error(`A cell that needs quotes has none: ${JSON.stringify(cell)}.`);
      at = end;
    }
    row.push(cell);
    if (text[at] === '\r') at++;
    if (text[at] === ',') {
      at++;
      // The row ends in an empty cell.
      if (at === text.length) row.push('');
    } else if (at === text.length || text[at] === '\n') {
      at++;
      rows.push(row);
      row = [];
    } else {
      throw new Error(`After a quoted cell comes ${JSON.stringify(text.slice(at, at + 20))}.`);
    }
  }
  if (row.length > 0) rows.push(row);
  return rows;
}

function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  if (at < 0) throw new Error('A quoted cell has no end.');
  return at;
}

function nextOf(text: string, from: number, stops: string): number {
  let at = from;
  while (at < text.length && !stops.includes(text[at] ?? '')) at++;
  return at;
}
