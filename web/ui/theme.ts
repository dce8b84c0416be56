import { useSyncExternalStore } from 'react';

/** The choice is kept in the browser; `public/theme.js` applies it before the first paint of the next visit. */
export type ThemeChoice = 'system' | 'light' | 'dark';
export const THEME_CHOICES: readonly ThemeChoice[] = ['system', 'light', 'dark'];

const KEY = 'weir.theme';
const listeners = new Set<() => void>();
const systemDark = matchMedia('(prefers-color-scheme: dark)');
let choice: ThemeChoice = read();
let colors = readColors();

function read(): ThemeChoice {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'system';
  } catch {
    return 'system';
  }
}

function apply(): void {
  const dark = choice === 'dark' || (choice === 'system' && systemDark.matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  colors = readColors();
  for (const listener of listeners) listener();
}

systemDark.addEventListener('change', apply);

export function chooseTheme(next: ThemeChoice): void {
  choice = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Blocked storage only means that the choice ends with this visit.
  }
  apply();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(subscribe, () => choice);
}

/** Value of a colour token (`series-1`) in the present theme. */
export type Colors = (token: string) => string;

/** For canvases: another function after every change of theme, so that effects which depend on it paint again. */
export function useColors(): Colors {
  return useSyncExternalStore(subscribe, () => colors);
}

function readColors(): Colors {
  const style = getComputedStyle(document.documentElement);
  const read = new Map<string, string>();
  return (token) => {
    const value = read.get(token) ?? style.getPropertyValue(`--${token}`).trim();
    read.set(token, value);
    return value;
  };
}
