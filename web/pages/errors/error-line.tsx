import { memo } from 'react';
import type { ErrorRow } from '#shared/live.ts';
import { formatExact, formatTimeMs } from '../../ui/format.ts';
import { reasonWords } from './filter-errors.ts';
import { Payload } from './payload.tsx';

interface ErrorLineProps {
  row: ErrorRow;
  open: boolean;
  onToggle(id: number): void;
  onInjection(id: number): void;
}

export const ErrorLine = memo(function ErrorLine({ row, open, onToggle, onInjection }: ErrorLineProps) {
  const { injection } = row;
  return (
    <tr data-error={row.id} className="*:leading-6">
      <td className="whitespace-nowrap">{formatTimeMs(row.at)}</td>
      <td className="whitespace-nowrap">{reasonWords(row.reason, row.field)}</td>
      <td className="max-w-0">
        <Payload
          payload={row.payload}
          payloadBytes={row.payloadBytes}
          field={row.field}
          open={open}
          onToggle={() => onToggle(row.id)}
        />
      </td>
      <td className="whitespace-nowrap">
        {row.source} <span className="text-muted">at {formatExact(row.offset)}</span>
      </td>
      <td>
        {injection === null ? (
          <span className="text-muted">none</span>
        ) : (
          <button
            type="button"
            className="whitespace-nowrap text-accent underline underline-offset-3"
            aria-label={`Only errors of injection ${injection}`}
            onClick={() => onInjection(injection)}
          >
            #{injection}
          </button>
        )}
      </td>
    </tr>
  );
});
