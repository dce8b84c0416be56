import { useMemo, useRef } from 'react';
import type { JobView } from '#shared/live.ts';
import { Icon } from '../../app/icons.tsx';
import { marksOf } from '../../charts/marks.ts';
import { useShown, useView } from '../../live/live.ts';
import { download } from '../../ui/export.ts';
import { formatSeconds, plural } from '../../ui/format.ts';
import { Empty, Panel, Skeleton } from '../../ui/panel.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { useHold } from '../../ui/use-hold.ts';
import { nextClosing, windowWords } from '../../ui/windows.ts';
import { fillingWindow } from './chart-points.ts';
import { DevicePanel } from './device-panel.tsx';
import { DevicePicker } from './device-picker.tsx';
import { pickDevices } from './pick-devices.ts';
import { sensorsOf, sensorTitle } from './sensors.ts';
import { useWindowsParams } from './use-windows-params.ts';
import { windowsCsv } from './windows-csv.ts';
import { WindowsTable } from './windows-table.tsx';

/** What results come out, per device, and how final are they? */
export function WindowsPage() {
  const params = useWindowsParams();
  useView('windows', params.pinned);
  const job = useShown('job');
  const connecting = useShown('link').state === 'connecting';
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <div>
        <h1 className="font-semibold text-xl">Windows</h1>
        <p className="text-muted">
          {job
            ? `${sentence(windowWords(job.window))} per device. A late update replaces its ${job.window.kind === 'session' ? 'session' : 'window'}'s row.`
            : 'Results per device'}
        </p>
      </div>
      {job ? (
        <Results job={job} params={params} />
      ) : (
        <Panel title="Results">
          {connecting ? (
            <Skeleton height={420} label="Waiting for the first frame" />
          ) : (
            <Empty>No job was started, so there are no windows.</Empty>
          )}
        </Panel>
      )}
    </div>
  );
}

function Results({ job, params }: { job: JobView; params: ReturnType<typeof useWindowsParams> }) {
  const windows = useShown('windows');
  const totals = useShown('totals');
  const events = useShown('events');
  const injections = useShown('injections');
  const now = useShown('viewTime');
  const { pinned, metric, query } = params;
  const sensors = useMemo(() => sensorsOf(job.aggregates), [job.aggregates]);
  const countColumn = job.aggregates.indexOf('count');
  const sensor = sensors.find((one) => one.name === metric) ?? sensors[0];
  const marks = useMemo(() => marksOf(events, injections), [events, injections]);
  const before = useRef<string[]>([]);
  const devices = pickDevices(windows, pinned, before.current, sensor);
  before.current = devices;
  const names = pinned.join('\n');
  const wanted = useMemo(() => (names === '' ? [] : names.split('\n')), [names]);
  const matching = useMemo(
    () => windows.rows.filter(({ result }) => matches(result.device, wanted, query)),
    [windows.rows, wanted, query],
  );
  const table = useHold(matching);
  /** The time that closes windows. */
  const time = job.timeMode === 'processing' ? now : (totals?.watermark ?? null);
  const csv = (): void => download('weir-windows.csv', 'text/csv', windowsCsv(table.value, job.aggregates));
  const waiting = matching.length > 0 ? freshRows(table.value, matching) : 0;

  return (
    <>
      <div className="flex flex-wrap items-center gap-3">
        <Segmented
          label="Sensor"
          options={sensors.map((one) => ({ value: one.name, label: sensorTitle(one) }))}
          value={sensor?.name ?? ''}
          onChange={params.setMetric}
        />
        <DevicePicker
          devices={windows.devices}
          devicesSeen={windows.devicesSeen}
          pinned={pinned}
          onToggle={params.togglePin}
        />
      </div>
      {sensor && devices.length > 0 ? (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-3 @2xl:grid-cols-2 @min-[80rem]:grid-cols-3">
          {devices.map((device) => (
            <DevicePanel
              key={device}
              device={device}
              rows={windows.byDevice.get(device) ?? []}
              filling={fillingWindow(windows.open, device, sensor, countColumn, time)}
              sensor={sensor}
              windows={job.window}
              marks={marks}
              pinned={pinned.includes(device)}
              onPin={params.togglePin}
            />
          ))}
        </div>
      ) : null}
      <Panel
        title="Results"
        note={`${plural(table.value.length, 'row')}, newest first${sensor ? '; charts fit their data, not zero' : ''}`}
        flush
        actions={
          <>
            {table.held && waiting > 0 ? (
              <span className="text-muted text-xs">{plural(waiting, 'new row')} when you leave the table</span>
            ) : null}
            <input
              className="field w-40"
              aria-label="Filter rows by device"
              placeholder="Filter by device"
              value={query}
              onChange={(event) => params.setQuery(event.target.value)}
            />
            <button type="button" className="btn" disabled={table.value.length === 0} onClick={csv}>
              <Icon name="download" size={14} />
              Export CSV
            </button>
          </>
        }
      >
        <div {...table.handlers}>
          {table.value.length > 0 ? (
            <WindowsTable rows={table.value} sensors={sensors} countColumn={countColumn} now={now} />
          ) : (
            <Empty>{whyEmpty(job, windows.rows.length, time, now)}</Empty>
          )}
        </div>
      </Panel>
    </>
  );
}

function matches(device: string, pinned: readonly string[], query: string): boolean {
  if (pinned.length > 0 && !pinned.includes(device)) return false;
  return query === '' || device.toLowerCase().includes(query.toLowerCase());
}

function freshRows(shown: readonly { result: { id: number } }[], live: readonly { result: { id: number } }[]): number {
  const newest = shown[0]?.result.id ?? 0;
  return live.findIndex((row) => row.result.id <= newest);
}

/** Why there is no row, and when to expect the first. */
function whyEmpty(job: JobView, held: number, time: number | null, now: number): string {
  if (held > 0) return 'No device matches.';
  if (job.state === 'FINISHED') return 'The job finished without a result.';
  if (time === null) return 'No watermark yet. The first window closes when the watermark passes its end.';
  const { says, inMs } = nextClosing(job.window, time, job.timeMode === 'processing' ? 'the clock' : 'the watermark');
  return job.window.kind === 'session' || now <= 0 ? says : `${says}, about ${formatSeconds(inMs)}.`;
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
