import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

/** Colours of one theme by token name. */
function tokensOf(theme: 'light' | 'dark'): Map<string, string> {
  const start = css.indexOf(`[data-theme="${theme}"]`);
  const block = css.slice(start, css.indexOf('}', start));
  return new Map(
    [...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map(([, name = '', color = '']) => [name, color]),
  );
}

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const GRAPHICS = ['control', 'ok', 'idle', 'busy', 'backpressured', 'warning', 'critical', 'mark'];
const SERIES = ['series-1', 'series-2', 'series-3', 'series-4', 'series-5'];

describe.each(['light', 'dark'] as const)('%s colours', (theme) => {
  const tokens = tokensOf(theme);
  const of = (name: string): string => tokens.get(name) ?? '#000000';

  it('has them all', () => expect(tokens.size).toBeGreaterThan(20));

  it.each(['card', 'bg', 'sunken'])('text can be read on %s', (ground) => {
    for (const name of ['text', 'muted', 'accent']) {
      expect(contrast(of(name), of(ground)), `${name} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('words on a filled button can be read', () => {
    expect(contrast(of('on-accent'), of('accent'))).toBeGreaterThanOrEqual(4.5);
  });

  it.each([...GRAPHICS, ...SERIES])('%s is seen on a card', (name) => {
    expect(contrast(of(name), of('card'))).toBeGreaterThanOrEqual(3);
  });
});
