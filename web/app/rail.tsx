import { useEffect, useRef } from 'react';
import { NavLink, useLocation } from 'react-router';
import { useBreakIt } from '../inject/break-it.ts';
import { Segmented } from '../ui/segmented.tsx';
import { chooseTheme, THEME_CHOICES, useThemeChoice } from '../ui/theme.ts';
import { Icon, type IconName } from './icons.tsx';
import { keptSearch, PAGES } from './use-actions.ts';

const ICONS: Record<(typeof PAGES)[number]['path'], IconName> = {
  '/': 'graph',
  '/windows': 'windows',
  '/errors': 'alert',
  '/checkpoints': 'flag',
  '/savepoints': 'save',
  '/faults': 'crack',
  '/scaling': 'scale',
};
const ITEM = 'flex min-h-8 items-center gap-2.5 rounded-md px-2.5 py-1.5 text-sm whitespace-nowrap';

interface RailProps {
  onBreak(): void;
  onHelp(): void;
}

/** Navigation: a column on wide screens, one row on phones. */
export function Rail({ onBreak, onHelp }: RailProps) {
  const { pathname, search } = useLocation();
  const pages = useRef<HTMLUListElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page is another place in the row
  useEffect(() => {
    if (pages.current !== null) showCurrent(pages.current);
  }, [pathname]);
  const breaking = useBreakIt().open;
  const theme = useThemeChoice();
  const themes = THEME_CHOICES.map((value) => ({ value, label: value[0]?.toUpperCase() + value.slice(1) }));
  return (
    <aside
      aria-label="Navigation"
      className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b bg-card px-3 py-2 md:sticky md:top-0 md:h-dvh md:flex-col md:flex-nowrap md:items-stretch md:gap-4 md:border-r md:border-b-0 md:px-2.5 md:py-3 lg:w-52"
    >
      <div className="flex items-center gap-2.5 md:px-1.5">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <span className="font-semibold text-lg tracking-tight md:max-lg:sr-only">Weir</span>
      </div>
      <nav aria-label="Pages" className="order-last w-full md:order-none">
        <Heading>Observe</Heading>
        <ul ref={pages} className="flex gap-1 max-md:overflow-x-auto md:flex-col">
          {PAGES.map((page) => (
            <li key={page.path}>
              <NavLink
                to={{ pathname: page.path, search: keptSearch(search) }}
                end
                title={`${page.name} (${page.keys})`}
                className={({ isActive }) =>
                  `${ITEM} ${isActive ? 'bg-sunken font-semibold text-text shadow-[inset_2px_0_0_var(--accent)]' : 'text-muted hover:bg-sunken hover:text-text'}`
                }
              >
                <span className="max-sm:hidden">
                  <Icon name={ICONS[page.path]} />
                </span>
                <span className="md:max-lg:sr-only">{page.name}</span>
              </NavLink>
            </li>
          ))}
        </ul>
      </nav>
      <div className="max-md:ml-auto">
        <Heading>Break</Heading>
        <button
          type="button"
          title="Inject something (i)"
          aria-expanded={breaking}
          className={`${ITEM} w-full text-muted hover:bg-sunken hover:text-text max-md:border max-md:border-control max-md:text-text`}
          onClick={onBreak}
        >
          <Icon name="bolt" />
          <span className="md:max-lg:sr-only">Break it</span>
        </button>
      </div>
      <div className="flex flex-wrap items-center gap-2 md:mt-auto md:flex-col md:items-stretch">
        <button
          type="button"
          title="Keys and settings (?)"
          className={`${ITEM} text-muted hover:bg-sunken hover:text-text`}
          onClick={onHelp}
        >
          <Icon name="keyboard" />
          <span className="max-lg:sr-only">Keys & settings</span>
        </button>
        <div className="hidden lg:block lg:px-1">
          <Segmented label="Theme" options={themes} value={theme} onChange={chooseTheme} />
        </div>
      </div>
    </aside>
  );
}

/** Scrolls the row, where it is too long for the screen, so that the page that is open is in its middle. */
function showCurrent(row: HTMLElement): void {
  const item = row.querySelector('[aria-current=page]')?.getBoundingClientRect();
  if (item === undefined) return;
  const { left, width } = row.getBoundingClientRect();
  row.scrollLeft += item.left + item.width / 2 - (left + width / 2);
}

function Heading({ children }: { children: string }) {
  return <p className="hidden px-2.5 pb-1 font-semibold text-muted text-xs lg:block">{children}</p>;
}
