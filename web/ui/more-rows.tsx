import { formatExact } from './format.ts';

interface MoreRowsProps {
  all: number;
  shown: number;
  onMore(): void;
}

/** Long tables start short; this goes on. */
export function MoreRows({ all, shown, onMore }: MoreRowsProps) {
  if (all <= shown) return null;
  return (
    <div className="border-line border-t p-2 text-center">
      <button type="button" className="btn btn-small" onClick={onMore}>
        Show more of {formatExact(all)} rows
      </button>
    </div>
  );
}
