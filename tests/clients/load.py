"""Sends messages on several connections until the server is gone; prints the X-Id of each one answered with 250.

Small and large bodies take turns, so that both ways of storing them are under way when the server is killed.
"""

import hashlib
import threading
from common import *

args = arguments("label")
CONNECTIONS = 8
MOST_MESSAGES = 2000  # a bound, should nobody kill the server
lock = threading.Lock()


def send(number):
    try:
        session = smtp(args, encrypt=False)
        for count in range(MOST_MESSAGES // CONNECTIONS):
            name = f"{args.label}-{number}-{count}"
            body = (name + "\r\n") * (20 if count % 4 else 8000)
            digest = hashlib.sha256(body.encode()).hexdigest()
            session.sendmail("carol@example.org", ["team@example.test"], message(name, body=body, X_Id=name, X_Sum=digest))
            with lock:
                print(name, flush=True)
    except (smtplib.SMTPException, OSError):
        pass  # killed


threads = [threading.Thread(target=send, args=(number,)) for number in range(CONNECTIONS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
