import { lazy, Suspense, useState } from 'react';
import { Route, Routes } from 'react-router';
import { BreakItContext } from '../inject/break-it.ts';
import { BreakItPanel } from '../inject/break-it-panel.tsx';
import { useLive, useShown } from '../live/live.ts';
import { ErrorsPage } from '../pages/errors/errors-page.tsx';
import { FaultsPage } from '../pages/faults/faults-page.tsx';
import { NotFound } from '../pages/not-found.tsx';
import { OverviewPage } from '../pages/overview/overview-page.tsx';
import { ScalingPage } from '../pages/scaling/scaling-page.tsx';
import { WindowsPage } from '../pages/windows/windows-page.tsx';
import { Announcer } from '../ui/announcer.tsx';
import { Panel, Skeleton } from '../ui/panel.tsx';
import { useShortcuts } from '../ui/shortcuts.ts';
import { EventLane } from './event-lane.tsx';
import { Header } from './header.tsx';
import { HelpDialog } from './help-dialog.tsx';
import { Rail } from './rail.tsx';
import { useActions } from './use-actions.ts';

const CheckpointsPage = lazy(() => import('../pages/checkpoints/checkpoints-page.tsx'));
const SavepointsPage = lazy(() => import('../pages/savepoints/savepoints-page.tsx'));

/** The shell: rail, header, page, the panel to break things, and the event lane under everything. */
export function App() {
  const { store } = useLive();
  const stale = useShown('link').stale;
  const [breaking, setBreaking] = useState(false);
  const [help, setHelp] = useState(false);
  const { shortcuts, togglePause, stopAll } = useActions({
    openHelp: () => setHelp(true),
    toggleBreakIt: () => setBreaking((open) => !open),
    closeBreakIt: () => setBreaking(false),
    isPaused: () => store.shown.paused,
  });
  useShortcuts(shortcuts);

  return (
    <BreakItContext value={{ open: breaking, setOpen: setBreaking }}>
      <a href="#page" className="btn btn-primary fixed top-2 left-2 z-50 not-focus:sr-only">
        Skip to the page
      </a>
      <div data-stale={stale} className="flex min-h-dvh flex-col md:grid md:grid-cols-[auto_minmax(0,1fr)]">
        <Rail onBreak={() => setBreaking(true)} onHelp={() => setHelp(true)} />
        <div className="flex min-w-0 flex-1 flex-col">
          <Header onPause={togglePause} onStopAll={stopAll} />
          <div className="flex min-w-0 flex-1">
            <main id="page" tabIndex={-1} className="@container min-w-0 flex-1 p-3 outline-none sm:p-4">
              <Routes>
                <Route path="/" element={<OverviewPage />} />
                <Route path="/windows" element={<WindowsPage />} />
                <Route path="/errors" element={<ErrorsPage />} />
                <Route
                  path="/checkpoints"
                  element={
                    <Suspense fallback={<Loading title="Checkpoints" />}>
                      <CheckpointsPage />
                    </Suspense>
                  }
                />
                <Route
                  path="/savepoints"
                  element={
                    <Suspense fallback={<Loading title="Savepoints" />}>
                      <SavepointsPage />
                    </Suspense>
                  }
                />
                <Route path="/faults" element={<FaultsPage onStopAll={stopAll} />} />
                <Route path="/scaling" element={<ScalingPage />} />
                <Route path="*" element={<NotFound />} />
              </Routes>
            </main>
            {breaking ? <BreakItPanel onClose={() => setBreaking(false)} onStopAll={stopAll} /> : null}
          </div>
          <EventLane />
        </div>
      </div>
      {help ? <HelpDialog shortcuts={shortcuts} onClose={() => setHelp(false)} /> : null}
      <Announcer />
    </BreakItContext>
  );
}

/** While a page's own code is on its way. */
function Loading({ title }: { title: string }) {
  return (
    <Panel title={title}>
      <Skeleton height={420} label="Loading the page" />
    </Panel>
  );
}
