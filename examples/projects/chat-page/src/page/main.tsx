import { createRoot } from "react-dom/client";
import { ChatPage } from "./chat-page.tsx";
import { openChat } from "./open-chat.ts";

// Each chat has an address of its own: pages with the same one see the same chat.
const id = location.hash.slice(1) || "trip-1";
const element = document.getElementById("chat");
if (element !== null) createRoot(element).render(<ChatPage open={openChat(id)} />);
