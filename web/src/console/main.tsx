/** The console begins here. */

import "../ui/base.css";
import "../ui/parts.css";
import "./console.css";

import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queries } from "../api.ts";
import { setTheme, theme } from "../theme.ts";
import { Boundary } from "../ui/boundary.tsx";
import { Toasts } from "../ui/toasts.tsx";
import { Console } from "./Console.tsx";

setTheme(theme());
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <Boundary>
          <Toasts>
            <Console />
          </Toasts>
        </Boundary>
      </QueryClientProvider>
    </StrictMode>,
  );
}
