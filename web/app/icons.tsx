const PATHS = {
  graph: 'M2.500 4h4v3.500h-4zM2.500 11h4v3.500h-4zM11.500 7.500h4V11h-4zM6.500 5.750h2.500v7h-2.500M9 9.250h2.500',
  windows: 'M2.500 14.500v-5h3v5zM7.500 14.500v-9h3v9zM12.500 14.500V3.500h3v11z',
  alert: 'M9 2.500 16 15H2zM9 7v4M9 12.750v.5',
  flag: 'M4.500 16V2.500M4.500 3h9l-2.500 3.250 2.500 3.250h-9',
  save: 'M4 2.500h10v13l-5-4-5 4z',
  bolt: 'M10 1.500 3.500 10H8.500L8 16.500 14.500 8H9.500z',
  crack: 'M2.500 2.500h13v13h-13zM9.500 2.500 7 7l4 2.500-3 6',
  scale: 'M2.500 15.500v-4h3v4zM12.500 15.500v-13h3v13zM5 7l3.500-3.500L12 7M8.500 3.500v9',
  keyboard: 'M1.500 4.500h15v9h-15zM4 7.250h.5M7 7.250h.5M10 7.250h.5M13 7.250h.5M5 10.750h8',
  pause: 'M5.500 3.500v11M12.500 3.500v11',
  play: 'M5 3l9 6-9 6z',
  stop: 'M4 4h10v10H4z',
  close: 'M4 4l10 10M14 4 4 14',
  download: 'M9 2.500v8.500M5.500 7.500 9 11l3.500-3.500M3 14.500h12',
  pin: 'M6 2.500h6l-1 5 2.500 2.500h-9L7 7.500zM9 10v5.500',
} as const;
export type IconName = keyof typeof PATHS;

/** Line icons on an 18-pixel grid; always beside a word or in a button that has a name. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg aria-hidden="true" width={size} height={size} viewBox="0 0 18 18" className="shrink-0">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
