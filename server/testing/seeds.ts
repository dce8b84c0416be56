/**
 * Random programs: new ones with every run at a desk, where whoever meets a failure can look into it; the same ones in CI, so that a change is
 * judged by what it changes. A failure names its seed either way.
 */

import fc from 'fast-check';

const CI_SEED = 20_261_126;

if (process.env.CI) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: CI_SEED });
