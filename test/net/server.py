"""The program rpc-peer as a server, for the tests in this folder."""

import signal
import subprocess


class Server:
    def __init__(self, peer, folder, name="s1", *options):
        self.p = subprocess.Popen([peer, "serve", folder, name, "per-peer=1000", *options],
                                  stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[1])

    def counts(self):
        self.p.send_signal(signal.SIGUSR1)
        words = self.p.stdout.readline().split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def stop(self):
        self.p.terminate()
        assert self.p.wait(20) == 0
