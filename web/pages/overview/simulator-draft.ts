import type { SimulatorSettings } from '#shared/live.ts';

/** The simulator's settings as people type them: shares in percent, no rate for as fast as it goes. */
export interface SimulatorDraft {
  rate: string;
  malformed: string;
  late: string;
  disorder: string;
}
export type SimulatorField = keyof SimulatorDraft;

export function draftOfSettings(settings: SimulatorSettings): SimulatorDraft {
  return {
    rate: settings.rate === null ? '' : String(settings.rate),
    malformed: percent(settings.malformed),
    late: percent(settings.late),
    disorder: settings.disorder,
  };
}

/** Share to percent without the digits that floating point adds. */
function percent(share: number): string {
  return String(Number((share * 100).toPrecision(10)));
}

const DURATION = String.raw`\d+(\.\d+)?(ms|s|m|h|d)`;
const DISORDER = new RegExp(String.raw`^(none|uniform:${DURATION}|exp:${DURATION}|lognormal:${DURATION},\d+(\.\d+)?)$`);

export type CheckedSettings =
  | { settings: Pick<SimulatorSettings, 'rate' | 'malformed' | 'late' | 'disorder'> }
  | { wrong: SimulatorField; error: string };

export function checkSettings(draft: SimulatorDraft): CheckedSettings {
  const rate = draft.rate.trim() === '' ? null : Number(draft.rate);
  if (rate !== null && !(rate > 0 && Number.isFinite(rate))) {
    return { wrong: 'rate', error: 'Rate: enter events per second above 0, or leave it empty for as fast as it goes.' };
  }
  const malformed = Number(draft.malformed);
  if (!isPercent(draft.malformed)) return { wrong: 'malformed', error: 'Malformed: enter 0 to 100 percent.' };
  const late = Number(draft.late);
  if (!isPercent(draft.late)) return { wrong: 'late', error: 'Late: enter 0 to 100 percent.' };
  const disorder = draft.disorder.trim();
  if (!DISORDER.test(disorder)) {
    return { wrong: 'disorder', error: 'Disorder: enter none, uniform:2s, exp:500ms or lognormal:1s,0.8.' };
  }
  return { settings: { rate, malformed: malformed / 100, late: late / 100, disorder } };
}

function isPercent(text: string): boolean {
  const value = Number(text);
  return text.trim() !== '' && value >= 0 && value <= 100;
}
