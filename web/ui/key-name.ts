/** Name of the key as shortcuts write it, or null for one that is no shortcut (modifiers, Ctrl+…). */
export function keyName(
  event: Pick<KeyboardEvent, 'key' | 'shiftKey' | 'ctrlKey' | 'metaKey' | 'altKey'>,
): string | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (event.key === 'Escape') return 'Escape';
  if (event.key.length !== 1) return null;
  return event.shiftKey && /[a-z]/i.test(event.key) ? `Shift+${event.key.toUpperCase()}` : event.key;
}
