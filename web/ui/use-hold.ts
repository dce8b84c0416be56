import { useState } from 'react';

interface Held<Value> {
  value: Value;
  /** The pointer or the focus is in it, so it stands still. */
  held: boolean;
  /** To spread on the element that holds. */
  handlers: {
    onPointerEnter(): void;
    onPointerLeave(): void;
    onFocus(): void;
    onBlur(event: React.FocusEvent): void;
  };
}

/** Rows must not move under the pointer or the focus: while either is inside, the value of that moment stays. */
export function useHold<Value>(live: Value): Held<Value> {
  const [pointer, setPointer] = useState(false);
  const [focus, setFocus] = useState(false);
  const [kept, setKept] = useState<{ value: Value } | null>(null);
  const held = pointer || focus;
  if (held && kept === null) setKept({ value: live });
  if (!held && kept !== null) setKept(null);
  return {
    value: held && kept ? kept.value : live,
    held,
    handlers: {
      onPointerEnter: () => setPointer(true),
      onPointerLeave: () => setPointer(false),
      onFocus: () => setFocus(true),
      onBlur: (event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setFocus(false);
      },
    },
  };
}
