import { visibleParts, visibleText } from './visible-text.ts';

/** Characters that are looked at; a table cell or a heading shows fewer. */
const LONGEST = 100;
const LONGEST_TITLE = 1000;

/** A character that stands for one which would not be seen. */
export const ODD = 'mx-px rounded-sm bg-sunken px-0.5 text-muted outline outline-line';

/** The id of a device, which is whatever an event said: shown as text, in a direction of its own, never as long as it may be. */
export function DeviceName({ device, longest = LONGEST }: { device: string; longest?: number }) {
  const cut = device.length > longest ? `${device.slice(0, longest)}…` : device;
  return (
    <bdi title={device.length > 20 ? visibleText(device, LONGEST_TITLE) : undefined}>
      {visibleParts(cut, null).map((part) => (
        <span key={part.at} className={part.look === 'odd' ? ODD : ''}>
          {part.text}
        </span>
      ))}
      {device === '' ? <span className="text-muted">empty id</span> : null}
    </bdi>
  );
}

/** The same for names of controls and drawings. */
export function deviceLabel(device: string): string {
  return visibleText(device, LONGEST);
}
