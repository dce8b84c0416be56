/** Files and directories in memory, as they are and as a crash of the machine would leave them. */

export class FileNode {
  content: Uint8Array = new Uint8Array(0);
  /** Contents that outlast a crash. */
  synced: Uint8Array = this.content;
}

export class Directory {
  readonly entries = new Map<string, Node>();
  /** Names that outlast a crash. */
  readonly synced = new Map<string, Node>();
}

type Node = FileNode | Directory;

/** Names that change together: a rename is never half done. */
type Change = readonly (readonly [directory: Directory, name: string, node: Node | null])[];

export class SimulatedTree {
  readonly #root = new Directory();
  /** Changes of names that were not synced, in order. */
  #changes: Change[] = [];

  find(path: string): Node | null {
    let node: Node | undefined = this.#root;
    for (const name of namesOf(path)) {
      if (!(node instanceof Directory)) return null;
      node = node.entries.get(name);
    }
    return node ?? null;
  }

  file(path: string): FileNode {
    const node = this.find(path);
    if (node === null) throw diskError('ENOENT', 'open', path);
    if (node instanceof Directory) throw diskError('EISDIR', 'read', path);
    return node;
  }

  directory(path: string): Directory {
    const node = this.find(path);
    if (node === null) throw diskError('ENOENT', 'open', path);
    if (node instanceof FileNode) throw diskError('ENOTDIR', 'open', path);
    return node;
  }

  create(path: string): FileNode {
    const [parent, name] = this.#place(path);
    if (parent.entries.has(name)) throw diskError('EEXIST', 'open', path);
    const file = new FileNode();
    this.#change([[parent, name, file]]);
    return file;
  }

  /** Gives those that got a new entry. */
  makeDirectory(path: string): Directory[] {
    const changed: Directory[] = [];
    let directory = this.#root;
    for (const name of namesOf(path)) {
      const next = directory.entries.get(name) ?? new Directory();
      if (next instanceof FileNode) throw diskError('EEXIST', 'mkdir', path);
      if (!directory.entries.has(name)) {
        this.#change([[directory, name, next]]);
        changed.push(directory);
      }
      directory = next;
    }
    return changed;
  }

  rename(from: string, to: string): void {
    const node = this.find(from);
    if (node === null) throw diskError('ENOENT', 'rename', from);
    const [oldParent, oldName] = this.#place(from);
    const [newParent, newName] = this.#place(to);
    const taken = newParent.entries.get(newName);
    if (taken instanceof Directory && taken.entries.size > 0) throw diskError('ENOTEMPTY', 'rename', to);
    this.#change([
      [oldParent, oldName, null],
      [newParent, newName, node],
    ]);
  }

  remove(path: string): void {
    this.file(path);
    this.#change([[...this.#place(path), null]]);
  }

  removeDirectory(path: string): void {
    if (this.directory(path).entries.size > 0) throw diskError('ENOTEMPTY', 'rmdir', path);
    this.#change([[...this.#place(path), null]]);
  }

  /** Its names outlast a crash from now on. */
  sync(directory: Directory): void {
    const left: Change[] = [];
    for (const change of this.#changes) {
      if (change.some(([changed]) => changed === directory)) keep(change);
      else left.push(change);
    }
    this.#changes = left;
  }

  /** Changes of its names that were not synced; `keep` makes them outlast a crash. */
  unsynced(directory: Directory): { readonly keep: () => void } {
    const mine = new Set(this.#changes.filter((change) => change.some(([changed]) => changed === directory)));
    return {
      keep: () => {
        for (const change of this.#changes) if (mine.has(change)) keep(change);
        this.#changes = this.#changes.filter((change) => !mine.has(change));
      },
    };
  }

  /** The machine stops: of the changes that were not synced those survive for which `survives` says so, and files become what `torn` gives. */
  lose(survives: () => boolean, torn: (file: FileNode) => Uint8Array): void {
    for (const change of this.#changes) if (survives()) keep(change);
    this.#changes = [];
    const wake = (directory: Directory): void => {
      directory.entries.clear();
      for (const [name, node] of directory.synced) {
        directory.entries.set(name, node);
        if (node instanceof Directory) wake(node);
        else if (node.content !== node.synced) {
          node.content = torn(node);
          node.synced = node.content;
        }
      }
    };
    wake(this.#root);
  }

  /** Below a directory; none if it is not there. */
  files(below = ''): { path: string; file: FileNode }[] {
    const found: { path: string; file: FileNode }[] = [];
    const look = (directory: Directory, path: string): void => {
      for (const [name, node] of directory.entries) {
        if (node instanceof Directory) look(node, `${path}/${name}`);
        else found.push({ path: `${path}/${name}`, file: node });
      }
    };
    const from = this.find(below);
    if (from instanceof Directory) look(from, below);
    return found;
  }

  #place(path: string): [parent: Directory, name: string] {
    const names = namesOf(path);
    const name = names.pop() as string;
    return [this.directory(`/${names.join('/')}`), name];
  }

  #change(change: Change): void {
    for (const [directory, name, node] of change) {
      if (node === null) directory.entries.delete(name);
      else directory.entries.set(name, node);
    }
    this.#changes.push(change);
  }
}

function keep(change: Change): void {
  for (const [directory, name, node] of change) {
    if (node === null) directory.synced.delete(name);
    else directory.synced.set(name, node);
  }
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

export function diskError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code });
}
