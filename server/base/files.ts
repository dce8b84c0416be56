/**
 * Node's file system as promises, by its calls with callbacks. Those of `node:fs/promises` may end the whole process
 * ("Assertion failed: (req_wrap_async) != nullptr") when a thread that is just being terminated makes one: a killed task manager's.
 */

import * as fs from 'node:fs';
import { promisify } from 'node:util';

export const access = promisify(fs.access);
export const close = promisify(fs.close);
export const fsync = promisify(fs.fsync);
/** Gives its descriptor; the end of the thread closes it too. */
export const open = promisify(fs.open);
export const read = promisify(fs.read);
export const readdir = promisify(fs.readdir);
export const readFile = promisify(fs.readFile);
export const rename = promisify(fs.rename);
export const rmdir = promisify(fs.rmdir);
export const stat = promisify(fs.stat);
export const unlink = promisify(fs.unlink);
export const writev = promisify(fs.writev);
