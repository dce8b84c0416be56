import { useEffect, useRef, useState } from 'react';
import { Icon } from '../app/icons.tsx';
import { type Draft, draftFor } from './draft.ts';
import { InjectionForm } from './injection-form.tsx';
import { InjectionList } from './injection-list.tsx';

interface BreakItPanelProps {
  onClose(): void;
  onStopAll(): void;
}

/** Stands beside the page, not over it: cause and effect should be seen together. On narrow screens it covers the page. */
export function BreakItPanel({ onClose, onStopAll }: BreakItPanelProps) {
  const [draft, setDraft] = useState<Draft>(() => draftFor('malformed'));
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    const before = document.activeElement;
    heading.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  return (
    <div
      role="dialog"
      aria-labelledby="break-it-title"
      className="fixed inset-0 z-30 overflow-auto border-line bg-card xl:sticky xl:inset-auto xl:top-13 xl:z-0 xl:h-[calc(100dvh-3.25rem-var(--lane-height,0px))] xl:w-96 xl:shrink-0 xl:border-l sm:max-xl:left-auto sm:max-xl:w-96 sm:max-xl:border-l"
    >
      <div className="sticky top-0 z-10 flex items-center border-line border-b bg-card py-2 pr-2 pl-4">
        <h2 id="break-it-title" ref={heading} tabIndex={-1} className="font-semibold text-lg outline-none">
          Break it
        </h2>
        <button
          type="button"
          className="btn btn-quiet ml-auto"
          aria-label="Close Break it"
          title="Close (Esc)"
          onClick={onClose}
        >
          <Icon name="close" size={16} />
        </button>
      </div>
      <div className="grid grid-cols-[minmax(0,1fr)] gap-6 p-4 max-xl:pb-28">
        <InjectionForm draft={draft} onChange={setDraft} />
        <InjectionList onAgain={setDraft} onStopAll={onStopAll} />
      </div>
    </div>
  );
}
