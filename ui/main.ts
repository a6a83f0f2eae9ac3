import { mount } from "svelte";
import App from "./App.svelte";
import { applyColours } from "./parts/colours.ts";
import "./theme.css";

applyColours();
mount(App, { target: document.body });
