import { type FormEvent, useId, useState } from 'react';
import { LIMITS } from '#shared/live.ts';
import { Icon } from '../../app/icons.tsx';
import { DeviceName, deviceLabel } from '../../ui/device-name.tsx';
import { plural } from '../../ui/format.ts';

interface DevicePickerProps {
  /** Names to offer; any other may be typed. */
  devices: readonly string[];
  devicesSeen: number;
  pinned: readonly string[];
  onToggle(device: string): void;
}

/** Pins devices by name; pinned ones show as chips that unpin. */
export function DevicePicker({ devices, devicesSeen, pinned, onToggle }: DevicePickerProps) {
  const list = useId();
  const [name, setName] = useState('');
  const full = pinned.length >= LIMITS.pinnedDevices;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const device = name.trim();
    if (device === '' || pinned.includes(device) || full) return;
    onToggle(device);
    setName('');
  };
  return (
    <form className="flex flex-wrap items-center gap-2" onSubmit={submit}>
      <input
        className="field w-52"
        list={list}
        aria-label="Device to pin"
        placeholder={`Pin one of ${plural(devicesSeen, 'device')}`}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <datalist id={list}>
        {devices.map((device) => (
          <option key={device} value={device} />
        ))}
      </datalist>
      <button type="submit" className="btn" disabled={name.trim() === '' || full}>
        {full ? `${LIMITS.pinnedDevices} pinned, no more fit` : 'Pin'}
      </button>
      {pinned.map((device) => (
        <button
          key={device}
          type="button"
          className="btn"
          aria-label={`Unpin ${deviceLabel(device)}`}
          onClick={() => onToggle(device)}
        >
          <Icon name="pin" size={14} />
          <DeviceName device={device} longest={24} />
          <Icon name="close" size={10} />
        </button>
      ))}
    </form>
  );
}
