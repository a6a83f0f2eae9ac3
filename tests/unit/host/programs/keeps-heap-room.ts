import { keepHeapRoom } from "troupe/host";

keepHeapRoom();
console.log("kept");
