/**
 * Key of a table line by its place: lines stay where they are and change their text when rows come in on top. Were they
 * keyed by row, every new one would push the whole table down, which readers and browsers see as a shifting layout.
 */
export function lineKey(place: number): string {
  return `line-${place}`;
}
