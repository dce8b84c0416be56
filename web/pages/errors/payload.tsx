import { ODD } from '../../ui/device-name.tsx';
import { formatBytes } from '../../ui/format.ts';
import { type Part, visibleParts } from '../../ui/visible-text.ts';

/** Characters that are looked at for the one line of a closed row; more would not fit any screen. */
const LINE = 200;

const LOOKS: Record<Part['look'], string> = {
  plain: '',
  odd: ODD,
  field: 'font-semibold underline decoration-2 decoration-critical underline-offset-3',
};

interface PayloadProps {
  payload: string;
  payloadBytes: number;
  field: string | null;
  open: boolean;
  onToggle(): void;
}

/** A refused event as text, never as markup: one line at first, on request all of it that came along. */
export function Payload({ payload, payloadBytes, field, open, onToggle }: PayloadProps) {
  const text = open ? payload : payload.slice(0, LINE);
  const missing = payloadBytes - new TextEncoder().encode(payload).length;
  return (
    <div className="flex items-start gap-2">
      <code
        dir="ltr"
        className={`min-w-0 flex-1 font-mono text-xs leading-6 [unicode-bidi:isolate] ${open ? 'whitespace-pre-wrap break-all' : 'truncate'}`}
      >
        {payload === '' ? <span className="text-muted">empty line</span> : null}
        {visibleParts(text, field).map((part) => (
          <span key={part.at} className={LOOKS[part.look]}>
            {part.text}
          </span>
        ))}
        {open && missing > 0 ? (
          <span className="block text-muted">cut here; the error log has all {formatBytes(payloadBytes)}</span>
        ) : null}
      </code>
      <button
        type="button"
        className="btn btn-quiet btn-small"
        aria-expanded={open}
        aria-label={open ? 'Show one line of the payload' : 'Show the whole payload'}
        onClick={onToggle}
      >
        {open ? 'Less' : 'More'}
      </button>
    </div>
  );
}
