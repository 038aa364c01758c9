"""The turns of agent_transcripts.py as further agents send them, most of them parts of editors; written for these
tests."""

from __future__ import annotations

from tests.routing.turns import DUMP, FIRST, SECOND, SUMMARY, Messages, answered, parts, ran, said, system

LOG = "src/parser.py:12: error: the loop ends one row early\n" * 300


def copilot(*, wrapped: bool, looping: bool = False) -> Messages:
    """The workspace as a turn of its own; attachments, reminders and then the request in its tag."""

    def asked(text: str, *, attached: bool) -> Messages:
        hint = " (See <attachments> above for file contents. You may not need to search or read the file again.)"
        around = (
            f'<attachments>\n<attachment id="src/parser.py">\n{DUMP}\n</attachment>\n</attachments>\n'
            * attached
            + "<context>\nThe current date is Friday, 6 March 2026.\nTerminals:\nTerminal: zsh\n</context>\n"
            "<editorContext>\nThe user's current file is /work/src/parser.py.\n</editorContext>\n"
            "<reminderInstructions>\nKeep going until it is done.\n</reminderInstructions>\n"
        )
        return said(f"{around}<userRequest>\n{text}{hint * attached}\n</userRequest>" if wrapped else text)

    workspace = "<environment_info>\nThe user's current OS is: Linux\n</environment_info>\n"
    workspace += f"<workspace_info>\nI am working in a workspace with the following folders:\n{DUMP}\n</workspace_info>"
    begin = [*said(workspace), *said(f"<conversation-summary>\n{SUMMARY}\n</conversation-summary>")] if wrapped else []
    messages = [*system(), *begin, *asked(FIRST, attached=True), *(ran("a") if wrapped else []), *answered()]
    return [*messages, *asked(SECOND, attached=False), *(ran("b") if looping else [])]


def cursor(*, wrapped: bool, looping: bool = False) -> Messages:
    """The user's system and rules as a turn of its own; files that are open, and the query in its tag."""
    info = "<user_info>\nOS Version: darwin 24.5.0\nShell: zsh\n</user_info>\n\n"
    info += f"<git_status>\nThis is the git status at the start of the conversation.\n{LOG}</git_status>\n\n"
    info += "<rules>\nThe rules section has a number of possible rules that you should consider.\n"
    info += "<user_rules>\n- Answer briefly.\n</user_rules>\n</rules>"
    seen = "<open_and_recently_viewed_files>\n- src/parser.py (total lines: 90)\n</open_and_recently_viewed_files>"
    attached = f'<attached_files>\n<code_selection path="src/parser.py">\n{DUMP}\n</code_selection>\n</attached_files>'
    reminder = said("<system_reminder>\nThe todo list is empty.\n</system_reminder>")
    if not wrapped:
        return [*system(), *said(FIRST), *answered(), *said(SECOND)]
    first = parts(seen, attached, f"<timestamp>Friday</timestamp>\n<user_query>\n{FIRST}\n</user_query>")
    messages = [*system(), *said(info), *first, *ran("a"), *reminder, *answered()]
    return [*messages, *parts(f"{seen}<user_query>\n{SECOND}\n</user_query>"), *(ran("b") if looping else [])]


def gemini_cli(*, wrapped: bool, looping: bool = False) -> Messages:
    """The session as a turn of its own; files of which the question speaks behind it; a turn that says to go on."""
    if not wrapped:
        return [*system(), *said(FIRST), *answered(), *said(SECOND)]
    session = "<session_context>\nThis is the Gemini CLI. We are setting up the context for our chat.\n"
    begin = [*said(f"{session}{LOG}</session_context>"), *said(f"<state_snapshot>\n{SUMMARY}\n</state_snapshot>")]
    files = (
        "\n--- Content from referenced files ---",
        "\nContent from @src/parser.py:\n",
        DUMP,
        "\n--- End of content ---",
    )
    messages = [*system(), *begin, *parts(FIRST, *files), *ran("a"), *answered(), *said(SECOND)]
    return [*messages, *(({"role": "assistant", "content": "I will."}, *said("Please continue.")) if looping else ())]


def openhands(*, wrapped: bool, looping: bool = False) -> Messages:
    """Of a model without tools: an example of how to call them before the task, results as a user's text."""
    if not wrapped:
        return [*system(), *said(FIRST), *answered(), *said(SECOND)]
    line = "-" * 21
    task = f"Here's a running example of how to perform a task.\n\n{line} START OF EXAMPLE {line}\n{LOG}\n"
    task += f"{line} END OF EXAMPLE {line}\n\n{line} NEW TASK DESCRIPTION {line}\n{FIRST}\n"
    task += f"{line} END OF NEW TASK DESCRIPTION {line}\n\nPLEASE follow the format strictly!\n"
    about = "<REPOSITORY_INFO>\nA repository has been cloned to /workspace.\n</REPOSITORY_INFO>\n"
    about += f"<REPOSITORY_INSTRUCTIONS>\n{DUMP}\n</REPOSITORY_INSTRUCTIONS>\n"
    about += "<RUNTIME_INFORMATION>\nToday's date is 2026-03-06 (UTC).\n</RUNTIME_INFORMATION>"
    extra = '<EXTRA_INFO>\nThe following information has been included for the word "test".\n</EXTRA_INFO>'
    result = said(f"EXECUTION RESULT of [execute_bash]:\n{DUMP}\n[Command finished with exit code 0]")
    call = {"role": "assistant", "content": "<function=execute_bash>\n<parameter=command>ls</parameter>\n</function>"}
    messages = [*system(), *parts(task), *said(about), call, *result, *answered(), *parts(SECOND, extra)]
    return [*messages, *((call, *result) if looping else ())]


def aider(*, wrapped: bool, looping: bool = False) -> Messages:
    """An example, files and a map of the repository as turns of the user; rules of editing behind the question."""
    if not wrapped:
        return [*system(), *said(FIRST), *answered(), *said(SECOND)]

    def pair(text: str) -> Messages:
        return [*said(text), {"role": "assistant", "content": "Ok."}]

    example = [*pair("Change get_factorial() to use math.factorial"), *pair("Refactor hello() into its own file.")]
    end = "I switched to a new code base. Please don't consider the above files or try to edit them any longer."
    files = pair(f"I have *added these files to the chat* so you can go ahead and edit them.\n\nsrc/parser.py\n{DUMP}")
    around = pair(f"Here are some READ ONLY files, provided for your reference.\nDo not edit these files!\n{LOG}")
    around += pair(f"Here are summaries of some files present in my git repository.\nTreat them as *read-only*.\n{LOG}")
    earlier = pair(f"I spoke to you previously about a number of things.\n{SUMMARY}")
    done = pair("I committed the changes with git hash a1b2c3d & commit msg: fix: read the last row")
    rules = f"\n\n# *SEARCH/REPLACE block* Rules:\n\nEvery *SEARCH/REPLACE block* must use this format:\n{LOG}"
    failed = said(f"# Fix any errors below, if possible.\n\n## Running: flake8\n{LOG}")
    messages = [*system(), *example, *pair(end), *around, *earlier, *said(FIRST), *answered(), *done, *files]
    messages += said(SECOND + rules)
    return [*messages, *((*answered(), *failed) if looping else ())]


def roo(*, wrapped: bool, looping: bool = False) -> Messages:
    """As Cline, with tools of the wire: the user's words in tags, the environment after each, a fresh start."""
    if not wrapped:
        return [*system(), *said(FIRST), *answered(), *said(SECOND)]
    environment = f"<environment_details>\n# Current Mode\n<slug>code</slug>\n{DUMP}\n</environment_details>"
    summary = parts(f"## Conversation Summary\n{SUMMARY}", "<system-reminder>\n## Command\n</system-reminder>")
    told = said("[ERROR] You did not use a tool in your previous response! Please retry with a tool use.")
    messages = [*system(), *summary, *parts(f"<user_message>\n{FIRST}\n</user_message>", environment), *ran("a")]
    messages += [*answered(), *told, *parts(f"<user_message>\n{SECOND}\n</user_message>", environment)]
    return [*messages, *((*ran("b"), *parts(environment)) if looping else ())]


def zed(*, wrapped: bool, looping: bool = False) -> Messages:
    """What is attached in one block before the question, or behind it; a turn that says to go on."""
    if not wrapped:
        return [*system(), *said(FIRST), *answered(), *said(SECOND)]
    context = "<context>\nThe following items were attached by the user. They are up-to-date.\n\n"
    context += f"<files>\n```py src/parser.py\n{DUMP}\n```\n</files>\n<rules>\nBe brief.\n</rules>\n</context>\n"
    messages = [*system(), *said(context + FIRST), *ran("a"), *answered(), *parts(SECOND, context)]
    return [*messages, *((*answered(), *said("Continue where you left off")) if looping else ())]


EDITORS = {each.__name__: each for each in (copilot, cursor, gemini_cli, openhands, aider, roo, zed)}
