import { describe, expect, it } from 'vitest';
import { checkSettings, draftOfSettings } from './simulator-draft.ts';

const settings = { devices: 10, rate: 5000, malformed: 0.001, late: 0.07, disorder: 'exp:800ms' };

describe('simulator settings', () => {
  it('go to the form and back unchanged', () => {
    const { devices: _, ...changeable } = settings;
    expect(draftOfSettings(settings)).toEqual({ rate: '5000', malformed: '0.1', late: '7', disorder: 'exp:800ms' });
    expect(checkSettings(draftOfSettings(settings))).toEqual({ settings: changeable });
  });
  it('no rate is as fast as it goes', () => {
    expect(checkSettings({ ...draftOfSettings(settings), rate: '' })).toMatchObject({ settings: { rate: null } });
  });
  it.each(['none', 'uniform:2s', 'exp:1.5s', 'lognormal:1s,0.8'])('%s is a disorder', (disorder) => {
    expect(checkSettings({ ...draftOfSettings(settings), disorder })).toHaveProperty('settings.disorder', disorder);
  });
  it.each([
    ['rate', '-1'],
    ['malformed', '101'],
    ['late', ''],
    ['disorder', 'exp'],
    ['disorder', 'lognormal:1s'],
  ])('refuses %s %s', (field, value) => {
    expect(checkSettings({ ...draftOfSettings(settings), [field]: value })).toHaveProperty('wrong', field);
  });
});
