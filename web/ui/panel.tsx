import { type ReactNode, useId } from 'react';

interface PanelProps {
  title: ReactNode;
  /** Right of the title: a unit or a short note. */
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
  /** Content reaches the border, as tables do. */
  flush?: boolean;
}

/** A card with a heading; every block of a page is one. */
export function Panel({ title, note, actions, children, className = '', flush = false }: PanelProps) {
  const id = useId();
  return (
    <section aria-labelledby={id} className={`panel min-w-0 rounded-md border border-line bg-card ${className}`}>
      <header className="flex min-h-11 flex-wrap items-center gap-x-3 gap-y-1 rounded-t-md border-line border-b px-3 py-1.5">
        <h2 id={id} className="min-w-0 font-semibold text-base wrap-anywhere">
          {title}
        </h2>
        {note ? <span className="text-muted text-xs">{note}</span> : null}
        {actions ? <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div> : null}
      </header>
      <div className={flush ? '' : 'p-3'}>{children}</div>
    </section>
  );
}

/** Holds the place of content that has not arrived, in its final size. */
export function Skeleton({ height, label }: { height: number; label: string }) {
  return (
    <div className="skeleton grid w-full place-items-center text-muted text-sm" style={{ height }}>
      <span>{label}</span>
    </div>
  );
}

/** Says why there is nothing, and what one can do about it. */
export function Empty({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex min-h-28 flex-col items-center justify-center gap-3 px-4 py-6 text-center text-muted text-sm">
      <p className="max-w-prose">{children}</p>
      {action}
    </div>
  );
}

/** What the arrow keys scroll or read must take the focus, though it is no control. */
export const FOCUSABLE = { tabIndex: 0 };

/** A table may be wider than its panel: then it, and only it, scrolls; the keyboard can scroll it as well. */
export function TableScroll({
  label,
  children,
  maxHeight,
}: {
  label: string;
  children: ReactNode;
  maxHeight?: number;
}) {
  return (
    <section
      aria-label={label}
      {...FOCUSABLE}
      className="relative overflow-auto"
      style={maxHeight ? { maxHeight } : {}}
    >
      {children}
    </section>
  );
}
