/** Short messages about what was just done. */

import { createContext, useCallback, useContext, useState, type ReactNode } from "react";

type Toast = { id: number; text: string; tone?: "bad" };
type Say = (text: string, tone?: "bad") => void;

const Saying = createContext<Say>(() => undefined);
const SHOWN_MS = 4_500;

export function Toasts({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const say = useCallback<Say>((text, tone) => {
    const id = Math.random();
    setToasts((shown) => [...shown.slice(-2), { id, text, tone }]);
    setTimeout(() => setToasts((shown) => shown.filter((it) => it.id !== id)), SHOWN_MS);
  }, []);
  return (
    <Saying.Provider value={say}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((toast) => (
          <div key={toast.id} className={`toast ${toast.tone ?? ""}`}>
            {toast.text}
          </div>
        ))}
      </div>
    </Saying.Provider>
  );
}

export function useToast(): Say {
  return useContext(Saying);
}
