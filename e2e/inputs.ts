/** Generated inputs of the IoT job: lines of NDJSON, the same every time. */

import { Random } from '#base/random.ts';

const START = 1_700_000_000_000;

/** Numbers and names as JSON texts, so that a test can say how they are written. */
export function line(
  device: string,
  timestamp: string | number,
  temperature: string | number = 20,
  humidity: string | number = 50,
  pressure: string | number = 1000,
): string {
  return `{"device_id":${device},"event_timestamp":${timestamp},"temperature":${temperature},"humidity":${humidity},"pressure":${pressure}}`;
}

/** Well-formed readings of `devices` devices, `stepMs` apart, at most `disorderMs` out of order. */
export function readings(
  count: number,
  { devices = 20, stepMs = 10, disorderMs = 0, seed = 1, start = START } = {},
): string[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => {
    const time = start + i * stepMs - random.below(disorderMs + 1);
    const temperature = (random.below(3000) + 500) / 100;
    const humidity = random.next() * 100;
    return line(`"device-${random.below(devices)}"`, time, temperature, humidity, 950 + random.below(10_000) / 100);
  });
}

const ODD_NAMES = [
  'plain',
  'with "quotes"',
  '"',
  '""',
  'with, comma',
  ',',
  'line\nbreak',
  'carriage\rreturn',
  'both\r\n',
  '\ttab\t',
  ' leading and trailing ',
  'back\\slash',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'prototype',
  'null',
  'undefined',
  'NaN',
  '0',
  '-1',
  '1e3',
  '=1+1',
  '\u0000',
  'nul\u0000inside',
  '\u001b[31mred',
  'é',
  'e\u0301',
  'ß',
  '温度计-7',
  '😀',
  '👩‍👩‍👧',
  '\u{10ffff}',
  '\u00a0',
  '\u200b',
  '\ufeff',
  '\u2028',
  '\u202eright to left',
  'x'.repeat(64),
  'very long '.repeat(500),
  '温'.repeat(30_000),
  // Lone halves of surrogate pairs: valid in JSON when escaped.
  '\ud800',
  'a\udc00b',
];

/** Each name written as `JSON.stringify` does, with every character escaped, and as it is where JSON allows. */
export function oddNames(): string[] {
  const lines: string[] = [];
  for (let round = 0; round < 3; round++) {
    ODD_NAMES.forEach((name, i) => {
      const units = Array.from({ length: name.length }, (_, at) => name.charCodeAt(at));
      const escaped = units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
      const texts = [JSON.stringify(name), `"${escaped}"`, JSON.stringify(name).replaceAll('/', '\\/')];
      lines.push(line(texts[round] ?? '""', START + round * 3000 + i, 20 + i / 10));
    });
  }
  for (const blank of ['', ' ', '\t\r\n', '\u2003\u3000', '\u001c'])
    lines.push(line(JSON.stringify(blank), START + 9000));
  return lines;
}

/** Timestamps around the borders of windows and of the watermark, all within the bound or, with `disorderMs`, beyond it. */
export function windowBorders(sizeMs: number, disorderMs = 0): string[] {
  const random = new Random(sizeMs + disorderMs);
  const lines: string[] = [];
  const first = Math.ceil(START / sizeMs) * sizeMs;
  for (let window = 0; window < 400; window++) {
    const border = first + window * sizeMs;
    for (const delta of [-1, 0, 1, -2, 4998, 4999, 5000, 5001]) {
      const back = disorderMs > 0 && random.below(10) === 0 ? random.below(disorderMs) : 0;
      const time = border + Math.min(delta, disorderMs > 0 ? delta : 1) - back;
      lines.push(line(`"d${random.below(3)}"`, time, random.next() * 80, random.below(101), 300 + random.next() * 800));
    }
  }
  return lines;
}

export function hundredThousandDevices(): string[] {
  const random = new Random(5);
  const lines: string[] = [];
  for (let i = 0; i < 250_000; i++) {
    const device = (i * 7919) % 100_000;
    lines.push(
      line(
        `"sensor-${device}"`,
        START + Math.floor(i / 20) - random.below(1000),
        random.below(8500) / 100,
        50.5,
        1013.25,
      ),
    );
  }
  return lines;
}

/** Clocks gone wrong: everything after a jump is late, and jumps end at the last instant there is. */
export function intoTheFuture(): string[] {
  const lines = readings(2000, { devices: 5 });
  const jump = (time: number) => [line('"device-1"', time), ...readings(300, { devices: 3, start: START + 20_000 })];
  lines.push(...jump(START + 86_400_000));
  lines.push(...readings(200, { devices: 3, start: START + 86_400_000 + 1000 }));
  lines.push(...jump(4_102_444_800_000), ...jump(8_640_000_000_000_000 - 1), ...jump(8_640_000_000_000_000));
  lines.push(
    line('"device-1"', '8640000000000001'),
    line('"device-1"', '9007199254740993'),
    line('"device-1"', '1e300'),
  );
  return lines;
}

/** Sums whose plain double arithmetic rounds at every step. */
export function losingDigits(): string[] {
  const lines: string[] = [];
  const random = new Random(11);
  for (let i = 0; i < 60_000; i++) {
    const time = START + i;
    lines.push(line('"thirds"', time, 100 / 3 / 2, '0.1', '1013.2500000000001'));
    lines.push(line('"random"', time, random.next() * 85, random.next() * 1e-7, 300 + random.next() * 800));
    if (i % 10 === 0)
      lines.push(
        line(
          '"large-and-small"',
          time,
          i % 20 === 0 ? '84.99999999999999' : '1e-17',
          i % 20 === 0 ? '100' : '5e-324',
          '1100',
        ),
      );
  }
  return lines;
}

/** Sums that nearly cancel out, so that the order of adding shows: only a plain sum in order of arrival gives what Flink gives. */
export function cancellingSums(): string[] {
  const lines: string[] = [];
  for (let i = 0; i < 3000; i++) {
    const temperature = ['40', '1e-10', '-40', '3.3e-9'][i % 4] ?? '0';
    lines.push(line(`"device-${i % 7}"`, START + i * 10, temperature));
  }
  return lines;
}

/** Values at the edges of their ranges and every way in which JSON writes a number. */
export function oddNumbers(): string[] {
  const times = [
    '0',
    '-0',
    '0.0',
    '1e3',
    '1.5e3',
    '2000.0',
    '20E2',
    '3000.00000',
    '4e+3',
    '4999',
    '5000',
    '0.5e4',
    '1700000000000',
    '17e11',
    '8.64e15',
    '86400000000000e2',
  ];
  const lines = times.map((time) => line('"times"', time));
  // These come first: the times above move the watermark to the end of time.
  const values: [string, string, string][] = [
    ['-40', '0', '300'],
    ['85', '100', '1100'],
    ['-40.0', '0e0', '3e2'],
    ['8.5e1', '1E2', '1.1e+3'],
    ['-0', '-0.0', '1013.25'],
    ['1e-7', '1e-320', '999.9999999999999'],
    ['12.345678901234567', '0.30000000000000004', '1000.0000000000001'],
    ['1e-400', '5e-324', '1.1000000000000000000000000000001e3'],
    ['0.1e1', '100e-2', '0.0003e6'],
    ['20.000000000000000000000000000000000000001', '2.2250738585072011e-308', '300.00000000000000000000000001'],
    ['-40.00000000000001', '50', '1000'],
    ['85.00000000000001', '50', '1000'],
    ['20', '-1e-300', '1000'],
    ['20', '100.00000000000001', '1000'],
    ['20', '50', '299.99999999999994'],
    ['20', '50', '1100.0000000000002'],
    ['1e999', '50', '1000'],
    ['20', '-1e999', '1000'],
    ['20', '"50"', '1000'],
    ['20', '50', 'true'],
    ['20', '50', '[1000]'],
    ['+20', '50', '1000'],
    ['.5', '50', '1000'],
    ['5.', '50', '1000'],
    ['020', '50', '1000'],
    ['0x10', '50', '1000'],
    ['20', 'Infinity', '1000'],
    ['20', '50', '1000n'],
  ];
  const first = values.map(([t, h, p], i) => line('"values"', 100 + i, t, h, p));
  const odd = [
    '{"pressure":1000,"humidity":50,"temperature":20,"event_timestamp":500,"device_id":"reversed"}',
    ' \t{ "device_id" : "spaces" , "event_timestamp" : 501 , "temperature" : 20 , "humidity" : 50 , "pressure" : 1000 } \t',
    '{"device_id":"first","device_id":"twice","event_timestamp":502,"temperature":20,"humidity":50,"pressure":1000}',
    '{"device_id":"escaped key","\\u0065vent_timestamp":503,"temperature":20,"humidity":50,"pressure":1000}',
    '{"device_id":"more","event_timestamp":504,"temperature":20,"humidity":50,"pressure":1000,"extra":{"device_id":"inner","list":[1,{"pressure":2}]}}',
    '{"__proto__":{"pressure":1000},"device_id":"proto","event_timestamp":505,"temperature":20,"humidity":50}',
    '{"extra":"}{\\"device_id\\":\\"fake\\"","device_id":"braces","event_timestamp":506,"temperature":20,"humidity":50,"pressure":1000}',
    '{"device_id":"trailing","event_timestamp":507,"temperature":20,"humidity":50,"pressure":1000,}',
    '{"device_id":"two","event_timestamp":508,"temperature":20,"humidity":50,"pressure":1000}{}',
    '{"Device_ID":"case","event_timestamp":509,"temperature":20,"humidity":50,"pressure":1000}',
    '{"device_id":null,"device_id":"null first","event_timestamp":510,"temperature":20,"humidity":50,"pressure":1000}',
    '{"device_id":"null last","event_timestamp":511,"temperature":20,"humidity":50,"pressure":1000,"pressure":null}',
  ];
  return [...first, ...odd, ...lines, ...lines.reverse()];
}

const SHRAPNEL = [
  '"',
  ',',
  ':',
  '{',
  '}',
  '[',
  ']',
  '\\',
  ' ',
  '\t',
  '0',
  '-',
  '.',
  'e',
  '+',
  'null',
  'true',
  '\\u0041',
  '\\ud83d',
  'é',
  '\u0001',
];

/** Readings in which bytes were lost, changed, doubled or put in: some lines stay good, most break a rule, a few are not UTF-8. */
export function damagedLines(count: number): Buffer[] {
  const random = new Random(17);
  return [...readings(count), ...oddNumbers()].map((text) => {
    let bytes = Buffer.from(text);
    for (let wounds = random.below(4); wounds > 0; wounds--) {
      const at = random.below(bytes.length + 1);
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
      const between = [
        Buffer.from(SHRAPNEL[random.below(SHRAPNEL.length)] ?? ''),
        bytes.subarray(random.below(bytes.length), bytes.length),
        Buffer.of(random.below(256)),
      ][random.below(3)];
      bytes = Buffer.concat([before, between ?? before, after.subarray(random.below(3))]);
    }
    return bytes;
  });
}
