// A test reads a file. The dashboard itself runs in browsers and must not see the rest of Node's types.
declare module 'node:fs' {
  export function readFileSync(path: URL, encoding: 'utf8'): string;
}
