"""IMAPClient against the server: SORT, THREAD, CONDSTORE's modifiers, ESEARCH and QRESYNC by raw commands."""

import datetime
import re

import common
import imapclient


def connect(args):
    client = imapclient.IMAPClient("localhost", args.imaps, ssl_context=common.tls(args), timeout=60)
    client.login(common.ALICE, common.PASSWORD)
    return client


def fill(client):
    """Four messages: a thread of three, of which the last came first, and one beside it."""
    client.create_folder("tour")
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    for subject, name, sent, message_id, references in [
        ("Re: pear", "zoe", 12, "c", "<a@x> <b@x>"),
        ("pear", "mia", 10, "a", ""),
        ("Re: pear", "ann", 11, "b", "<a@x>"),
        ("Apple", "bob", 9, "d", ""),
    ]:
        headers = {"References": references} if references else {}
        text = "\r\n".join(
            [
                f"From: {name}@example.org",
                f"Subject: {subject}",
                f"Date: Thu, 1 Jan 2026 {sent:02}:00:00 +0000",
                f"Message-ID: <{message_id}@x>",
            ]
            + [f"{key}: {value}" for key, value in headers.items()]
            + ["", "x" * sent, ""]
        )
        client.append("tour", text.encode(), msg_time=day)
    return client.select_folder("tour")


def sort_and_thread(client):
    check = common.check
    check(client.sort(["SUBJECT", "DATE"]) == [4, 2, 3, 1], "SORT (SUBJECT DATE)")
    check(client.sort("REVERSE FROM") == [1, 2, 4, 3], "SORT (REVERSE FROM)")
    check(client.sort(["SIZE"], ["SUBJECT", "pear"]) == [2, 3, 1], "SORT (SIZE) of a search")
    check(client.thread("REFERENCES") == ((4,), (2, 3, 1)), "THREAD REFERENCES")
    check(client.thread("ORDEREDSUBJECT", "ALL") == ((4,), (2, (3,), (1,))), "THREAD ORDEREDSUBJECT")


def condstore(client, other):
    check = common.check
    first = client.folder_status("tour", ["HIGHESTMODSEQ"])[b"HIGHESTMODSEQ"]
    other.select_folder("tour")
    other.add_flags([2], [imapclient.FLAGGED])
    other.add_flags([3], [imapclient.SEEN])
    changed = client.fetch("1:*", ["FLAGS"], modifiers=[f"CHANGEDSINCE {first}"])
    check(sorted(changed) == [2, 3], "FETCH (CHANGEDSINCE) names what changed")
    check(all(changed[uid][b"MODSEQ"][0] > first for uid in changed), "and its MODSEQ")
    found = client.search(["MODSEQ", str(first + 1)])
    check(sorted(found) == [2, 3] and found.modseq == changed[3][b"MODSEQ"][0], "SEARCH MODSEQ")
    return first


def raw(client, command):
    """Sends a command; the untagged ESEARCH or VANISHED line, and the tagged one."""
    imap = client._imap
    tag = imap._new_tag()
    imap.send(tag + b" " + command.encode() + b"\r\n")
    lines = []
    while True:
        line = imap.readline().strip().decode()
        if line.startswith(tag.decode() + " "):
            return lines, line.split(" ", 1)[1]
        lines.append(line)


def esearch_and_qresync(client, known):
    check = common.check
    lines, end = raw(client, "UID SEARCH RETURN (MIN MAX COUNT ALL) SUBJECT pear")
    check(end.startswith("OK") and re.fullmatch(r'\* ESEARCH \(TAG "\w+"\) UID MIN 1 MAX 3 ALL 1:3 COUNT 3', lines[0]), lines[0])
    client.close_folder()
    client.enable("QRESYNC")
    status = client.select_folder("tour")
    client.delete_messages([1])
    client.expunge()
    client.unselect_folder()
    lines, end = raw(client, f"SELECT tour (QRESYNC ({status[b'UIDVALIDITY']} {known} 1:4))")
    check("* VANISHED (EARLIER) 1" in lines, "QRESYNC tells what vanished")
    told = [line for line in lines if " FETCH (" in line]
    check(len(told) == 2 and all("MODSEQ (" in line for line in told), "and what changed")


def main():
    args = common.arguments()
    client, other = connect(args), connect(args)
    common.check(client.has_capability("CONDSTORE") and client.has_capability("SORT"), "capabilities")
    fill(client)
    sort_and_thread(client)
    known = condstore(client, other)
    esearch_and_qresync(client, known)
    client.logout()
    other.logout()


main()
