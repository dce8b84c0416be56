import { Link } from 'react-router';
import { useView } from '../live/live.ts';

export function NotFound() {
  useView('other');
  return (
    <div className="grid justify-items-start gap-3 py-8">
      <h1 className="font-semibold text-xl">There is no page at this address</h1>
      <Link to="/" className="btn">
        Go to Overview
      </Link>
    </div>
  );
}
