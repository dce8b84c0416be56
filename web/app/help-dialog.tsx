import { useEffect, useRef } from 'react';
import { Segmented } from '../ui/segmented.tsx';
import { type Shortcut, setShortcutsEnabled, useShortcutsEnabled } from '../ui/shortcuts.ts';
import { chooseTheme, THEME_CHOICES, useThemeChoice } from '../ui/theme.ts';
import { Icon } from './icons.tsx';

interface HelpDialogProps {
  shortcuts: readonly Shortcut[];
  onClose(): void;
}

export function HelpDialog({ shortcuts, onClose }: HelpDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const enabled = useShortcutsEnabled();
  const theme = useThemeChoice();
  const themes = THEME_CHOICES.map((value) => ({ value, label: value[0]?.toUpperCase() + value.slice(1) }));

  useEffect(() => {
    const element = dialog.current;
    // Leaving the page closes it; closing it here as well would tell `onClose` so.
    if (element?.open === false) element.showModal();
  }, []);

  return (
    <dialog
      ref={dialog}
      aria-labelledby="help-title"
      className="m-auto w-[min(34rem,calc(100vw-2rem))] rounded-md border border-control bg-card p-0 text-text backdrop:bg-[rgb(0_0_0/0.45)]"
      onClose={onClose}
    >
      <div className="flex items-center border-line border-b px-4 py-2">
        <h2 id="help-title" className="font-semibold text-lg">
          Keys & settings
        </h2>
        <button type="button" className="btn btn-quiet ml-auto" aria-label="Close" onClick={onClose}>
          <Icon name="close" size={16} />
        </button>
      </div>
      <div className="grid gap-4 p-4">
        <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-2 text-sm">
          {shortcuts.map((shortcut) => (
            <div key={shortcut.keys} className="contents">
              <dt className="flex gap-1">
                {shortcut.keys.split(/[ +]/).map((key) => (
                  <kbd key={key} className="key">
                    {key === 'Escape' ? 'Esc' : key}
                  </kbd>
                ))}
              </dt>
              <dd>{shortcut.says}</dd>
            </div>
          ))}
          <div className="contents">
            <dt className="flex gap-1">
              <kbd className="key">←</kbd>
              <kbd className="key">→</kbd>
            </dt>
            <dd>On a chart: read it value by value</dd>
          </div>
        </dl>
        <label className="flex items-center gap-3 border-line border-t pt-4 text-sm">
          <input
            type="checkbox"
            className="size-4.5 accent-accent"
            checked={enabled}
            onChange={(event) => setShortcutsEnabled(event.target.checked)}
          />
          Single-key shortcuts (all of the above but Esc and the arrows)
        </label>
        <div className="flex flex-wrap items-center gap-3 text-sm">
          Theme
          <Segmented label="Theme" options={themes} value={theme} onChange={chooseTheme} />
        </div>
      </div>
    </dialog>
  );
}
