/** Who looks at the page, and whether anybody has to say so. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { pando, type Schemas } from "../api.ts";

export type Session = Schemas["SessionState"];

export function useSession() {
  return useQuery({
    queryKey: ["session"],
    queryFn: async ({ signal }) => {
      const { data } = await pando.get("/api/v1/session", { signal });
      pando.csrf = data.session?.csrf_token;
      return data;
    },
    staleTime: 60_000,
  });
}

export function useLogOut() {
  const queries = useQueryClient();
  return useCallback(async () => {
    await pando.delete("/api/v1/session", {});
    queries.clear();
    location.assign("/");
  }, [queries]);
}

/** Whether the person has to log in before there is anything to see. */
export function mustLogIn(session: Session): boolean {
  return session.mode === "required" && !session.session;
}
