import { LIMITS, type OpenWindow, replaces, type WindowResult, type WindowsView } from '#shared/live.ts';

export interface WindowRow {
  result: WindowResult;
  /** Values that a late update replaced, else null. */
  was: number[] | null;
}

export interface ShownWindows {
  devicesSeen: number;
  /** In the server's order. */
  devices: readonly string[];
  /** Per device, by window start, oldest first. */
  byDevice: ReadonlyMap<string, readonly WindowRow[]>;
  open: readonly OpenWindow[];
  /** All rows held, newest arrival first. */
  rows: readonly WindowRow[];
}

/** Window results as they arrive: one row per device and window, where a late update, or a session that grew, takes the place of its forerunners. */
export class WindowsBook {
  #byDevice = new Map<string, WindowRow[]>();
  #devices: string[] = [];
  #open: OpenWindow[] = [];
  #devicesSeen = 0;
  /** Rows as shown last; open windows change with every tick, results only now and then. */
  #kept: Pick<ShownWindows, 'byDevice' | 'rows'> | null = null;

  clear(): void {
    this.#byDevice = new Map();
    this.#devices = [];
    this.#open = [];
    this.#devicesSeen = 0;
    this.#kept = null;
  }

  merge(view: WindowsView): void {
    this.#devicesSeen = view.devicesSeen;
    this.#devices = view.devices;
    this.#open = view.open;
    if (view.results.length > 0) this.#kept = null;
    for (const result of view.results) this.#put(result);
    this.#forgetOthers();
  }

  shown(): ShownWindows {
    this.#kept ??= this.#sorted();
    return { devicesSeen: this.#devicesSeen, devices: this.#devices, open: this.#open, ...this.#kept };
  }

  #sorted(): Pick<ShownWindows, 'byDevice' | 'rows'> {
    const byDevice = new Map<string, readonly WindowRow[]>();
    const rows: WindowRow[] = [];
    for (const [device, held] of this.#byDevice) {
      byDevice.set(device, [...held]);
      rows.push(...held);
    }
    rows.sort((a, b) => b.result.id - a.result.id);
    return { byDevice, rows };
  }

  #put(result: WindowResult): void {
    let rows = this.#byDevice.get(result.device);
    if (!rows) {
      rows = [];
      this.#byDevice.set(result.device, rows);
    }
    // What is newer stays, also when a snapshot repeats its forerunner.
    if (rows.some((row) => row.result.id >= result.id && replaces(row.result, result))) return;
    let was: WindowResult | null = null;
    for (let i = rows.length - 1; i >= 0; i--) {
      const older = rows[i]?.result;
      if (older === undefined || !replaces(result, older)) continue;
      rows.splice(i, 1);
      if (was === null || older.id > was.id) was = older;
    }
    // Results come nearly in order of their start, so the place is found from the end.
    let at = rows.length;
    while (at > 0 && (rows[at - 1]?.result.start ?? 0) > result.start) at--;
    rows.splice(at, 0, { result, was: was?.values ?? null });
    if (rows.length > LIMITS.resultsPerDevice) rows.shift();
  }

  /** Drops devices the server no longer sends, oldest news first, once there are clearly more than it watches. */
  #forgetOthers(): void {
    const limit = LIMITS.watchedDevices + LIMITS.pinnedDevices;
    if (this.#byDevice.size <= limit) return;
    const sent = new Set(this.#devices);
    const others = [...this.#byDevice.keys()].filter((device) => !sent.has(device));
    const newest = (device: string): number => this.#byDevice.get(device)?.at(-1)?.result.id ?? 0;
    others.sort((a, b) => newest(a) - newest(b));
    for (const device of others.slice(0, this.#byDevice.size - limit)) this.#byDevice.delete(device);
  }
}
