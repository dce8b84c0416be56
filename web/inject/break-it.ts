import { createContext, useContext } from 'react';

/** Whether the injection panel is open; pages may open it, for example from an empty table. */
export interface BreakIt {
  open: boolean;
  setOpen(open: boolean): void;
}

export const BreakItContext = createContext<BreakIt>({ open: false, setOpen: () => undefined });

export function useBreakIt(): BreakIt {
  return useContext(BreakItContext);
}
