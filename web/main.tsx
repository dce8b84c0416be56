import './app.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { App } from './app/app.tsx';
import { LiveContext, startLive } from './live/live.ts';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');

createRoot(root).render(
  <StrictMode>
    <LiveContext value={startLive()}>
      <BrowserRouter>
        <App />
      </BrowserRouter>
    </LiveContext>
  </StrictMode>,
);
