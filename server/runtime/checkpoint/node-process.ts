/** How processes of this machine are told apart: by their number and when they were started, because numbers are used again. */

import { readFileSync } from 'node:fs';
import type { ProcessIdentity } from './directory-lock.ts';

const UNKNOWN = 'unknown';

export function thisProcess(): ProcessIdentity {
  return {
    self: `${process.pid}-${startOf(process.pid)}`,
    alive(name): boolean {
      const [pid, ...start] = name.split('-');
      const now = startOf(Number(pid));
      return isRunning(Number(pid)) && (now === UNKNOWN || now === start.join('-'));
    },
    describe: (name) => `process ${name.split('-')[0]}`,
  };
}

/**
 * When it was started, as Linux tells it: the boot of the machine, and ticks since. Elsewhere nothing is known: there a number that is used
 * again locks until that process ends.
 */
function startOf(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may hold anything; the start is field 22.
    return `${boot}-${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return UNKNOWN;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
