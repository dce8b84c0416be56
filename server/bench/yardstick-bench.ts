/** Bench `yardstick`: the loops alone, to see what this machine does and how even it is. */

import { runLoops } from './generator.ts';
import { millions, series } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { Rival } from './rival.ts';
import { WORKER } from './run-job.ts';

const TRIAL = 10_000_000;

export async function yardstickBench({ runs, seconds, say }: BenchOptions): Promise<Report> {
  const rivals = [new Rival(WORKER), new Rival(WORKER)];
  const rows: { devices: number; form: string; loops: number; values: number[] }[] = [];
  try {
    for (const devices of [1000, 100_000]) {
      for (const form of ['plain', 'touch'] as const) {
        for (const loops of [1, 2]) {
          const used = rivals.slice(0, loops);
          await runLoops(used, devices, TRIAL, form);
          const events = Math.ceil(((await runLoops(used, devices, TRIAL, form)).rate / loops) * seconds);
          say(`${devices} devices, ${form}, ${loops} at a time …`);
          const values: number[] = [];
          for (let i = 0; i < runs; i++) values.push((await runLoops(used, devices, events, form)).rate);
          rows.push({ devices, form, loops, values });
        }
      }
    }
  } finally {
    await Promise.all(rivals.map((rival) => rival.close()));
  }
  return {
    bench: 'yardstick',
    question: 'how fast the hand-written loops are on this machine, one and two at a time',
    columns: ['devices, form', 'one loop, M events/s', 'two loops, added up'],
    rows: rows
      .filter((row) => row.loops === 1)
      .map((row) => {
        const two = rows.find((r) => r.loops === 2 && r.form === row.form && r.devices === row.devices);
        return [
          `${row.devices}, ${row.form}`,
          millions(series(row.values)),
          millions(series(two?.values ?? row.values)),
        ];
      }),
    notes: ['The other benches take the form `touch` where the accumulators exceed 1 MiB, else `plain`.'],
    data: rows.map(({ values, ...row }) => ({ ...row, ...series(values) })),
  };
}
