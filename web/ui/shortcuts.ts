import { useEffect, useRef, useSyncExternalStore } from 'react';
import { keyName } from './key-name.ts';

/**
 * Single-key shortcuts. They never fire inside inputs and can be switched off (WCAG 2.1.4); then only Escape remains.
 * A shortcut is one key (`p`), `Shift+X`, or two keys in a row (`g o`).
 */
export interface Shortcut {
  keys: string;
  says: string;
  run(): void;
}

const KEY = 'weir.shortcuts';
/** The second key of a pair must follow within this time. */
const PAIR_MS = 1200;

const listeners = new Set<() => void>();
let enabled = readEnabled();

function readEnabled(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

export function setShortcutsEnabled(on: boolean): void {
  enabled = on;
  try {
    localStorage.setItem(KEY, on ? 'on' : 'off');
  } catch {
    // Blocked storage only means that the choice ends with this visit.
  }
  for (const listener of listeners) listener();
}

export function useShortcutsEnabled(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => enabled,
  );
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    let first = '';
    let firstAt = 0;
    const onKey = (event: KeyboardEvent): void => {
      const name = keyName(event);
      if (name === null || event.defaultPrevented) return;
      // A modal dialog has the keyboard for itself; Escape closes it without our help.
      if (event.target instanceof Element && event.target.closest('dialog')) return;
      if (name !== 'Escape' && (!enabled || isTyping(event.target))) return;
      const pair = first !== '' && event.timeStamp - firstAt < PAIR_MS ? `${first} ${name}` : null;
      first = '';
      const found = latest.current.find((shortcut) => shortcut.keys === pair || shortcut.keys === name);
      if (found) {
        event.preventDefault();
        found.run();
      } else if (latest.current.some((shortcut) => shortcut.keys.startsWith(`${name} `))) {
        first = name;
        firstAt = event.timeStamp;
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}
