"""Pairs of alike questions in unusual forms, by class: what courtesy, sentence ends, neutral words and names of one
thing may hide."""

from __future__ import annotations

# A pair a line, its two parted by a bar.
_TABLE: dict[str, str] = {
    "number": r"""
What is 10² plus 1?|What is 102 plus 1?
What is thirty-five times 2?|What is 30-5 times 2?
Who was Louis XIV of France?|Who was Louis XVI of France?
How much is a dozen eggs?|How much is half a dozen eggs?
Is half a cup enough?|Is a cup and a half enough?
What is 1.000 in words?|What is 1000 in words?
What is a third of ninety?|What is three of ninety?
Is it 3-0 or more?|Is it 30 or more?
What is –5 in fahrenheit?|What is 5 in fahrenheit?
–5 in fahrenheit|5 in fahrenheit
What comes after Rocky II?|What comes after Rocky III?
What is seventeen squared?|What is seventy squared?
what is twenty two times 3|what is twenty times 3
How many is two score?|How many is a score?
Is 5e3 large?|Is 5e4 large?
What is 12:30 plus one hour?|What is 1:23 plus one hour?
Can I fit two hundred in?|Can I fit two in?
What is H₂O2?|What is H2O₃?
""",
    "unit": r"""
Is 38 °C a fever?|Is 38 °F a fever?
Is 38°C a fever?|Is 38°F a fever?
How much is $20 worth?|How much is £20 worth?
How much is 20 € worth?|How much is 20 ¥ worth?
How far is 5 km on foot?|How far is 5 mi on foot?
Is 50 m² big?|Is 50 m³ big?
How long is 2'?|How long is 2"?
Is 5 µg much?|Is 5 mg much?
Is 80 kph fast?|Is 80 mph fast?
How heavy is a ton?|How heavy is a tonne?
Is 5 Mb enough?|Is 5 MB enough?
Is 100 W enough?|Is 100 Wh enough?
How long are 3 fortnights?|How long are 3 weeks?
Is 20 hPa high?|Is 20 kPa high?
How much is 5 quid?|How much is 5 bucks?
Is 2 mol a lot?|Is 2 mmol a lot?
""",
    "name": r"""
Is Northern Ireland in Great Britain?|Is Northern Ireland in the United Kingdom?
Hello Kitty age|Kitty age
Where is gate A at Heathrow?|Where is the gate at Heathrow?
influenza a symptoms|influenza symptoms
What does the US think of it?|What does us think of it?
What did McDonald do?|What did MacDonald do?
Is Georgia in Europe cold?|Is Georgia in America cold?
Good morning america host|america host
Who plays Robin Hood?|Who plays Robin?
Is IT hard to learn?|Is it hard to learn?
Who is The Who?|Who is who?
Is my pants size right in Britain?|Is my pants size right in America?
Should he call the doctor for her?|Should she call the doctor for him?
What is type O- good for?|What is type O good for?
Who can receive O-?|Who can receive O?
Why did I get a B-?|Why did I get a B?
thank you letter template|letter template
Is the nurse his sister?|Is the nurse her sister?
""",
    "negation": r"""
Is it lawful to park here?|Is it unlawful to park here?
Is the list mutable?|Is the list immutable?
Is that regular?|Is that irregular?
Is this logical?|Is this illogical?
Which plans are with ads but not tracking?|Which plans are with tracking but not ads?
Is it a must?|Is it a mustn't?
Can he come along?|Can't he come along?
Does it work sans cable?|Does it work with cable?
Which ones are sugar-free?|Which ones are free sugar?
Is it nonstop from Oslo?|Is it one stop from Oslo?
What is visible here?|What is invisible here?
How do I disable it?|How do I enable it?
Should we turn it on?|Should we turn it off?
Is it anything but red?|Is it anything red?
who else is allowed besides me|who is allowed besides me
Is it far from harmless?|Is it harmless?
Do I opt in?|Do I opt out?
How do I unsubscribe him?|How do I subscribe him?
""",
    "order": r"""
What does a cat like?|What is a cat like?
Who does Anna like?|Who is Anna like?
Why does Anna clean?|Why is Anna clean?
Was the dog bitten by the man?|Was the man bitten by the dog?
How do I go from X to Y?|How do I go from Y to X?
Did Google buy YouTube or YouTube buy Google?|Did YouTube buy Google or Google buy YouTube?
Is Java older than C?|Is C older than Java?
What is 3 minus 7?|What is 7 minus 3?
Does the sun orbit the earth?|Does the earth orbit the sun?
Is Anna her mother's boss?|Is her mother Anna's boss?
What does X owe Y?|What does Y owe X?
Who lends to whom, Ann or Bo?|Who lends to whom, Bo or Ann?
Is the key in the lock?|Is the lock in the key?
git diff main dev|git diff dev main
What is 2 ** 3 now?|What is 3 ** 2 now?
""",
    "quantifier": r"""
Can I eat just rice?|Can I eat rice?
Do I need at least 3?|Do I need at most 3?
Is nearly every seat taken?|Is every seat taken?
Can a few of them fly?|Can few of them fly?
Is a little salt ok?|Is little salt ok?
Does one of them work?|Does none of them work?
Can either go?|Can neither go?
Is it up to 5 items?|Is it from 5 items?
Do no fewer than 3 apply?|Do fewer than 3 apply?
Was it all but done?|Was it all done?
Is one of the twins ill?|Are both of the twins ill?
Do I need both or either?|Do I need either or both?
Was every other day fine?|Was every day fine?
Is it 5 per day?|Is it 5 per month?
""",
    "comparative": r"""
What is the latest phone?|What is the oldest phone?
What is the latest phone?|What is the last phone?
Is X as fast as Y?|Is X faster than Y?
Is it no better than before?|Is it better than before?
Which is second best?|Which is best?
What is the runner-up?|What is the winner?
Is it too hot?|Is it hot?
Is it very cheap?|Is it cheap?
What is the lighter option?|What is the light option?
Is it upmost?|Is it most?
Is it hotter up here?|Is it hotter down here?
Is it a just war?|Is it a war?
What is the minimal fee?|What is the maximal fee?
Is the premium plan ok?|Is the basic plan ok?
""",
    "time": r"""
Set an alarm for 7 am in Rome|Set an alarm for 7 in Rome
What happened on 2024-03-04?|What happened on 2024-04-03?
What happened on 3/4/2024?|What happened on 4/3/2024?
What happened on March 4?|What happened on April 3?
Is it 9:00 EST or later?|Is it 9:00 PST or later?
Is 10 UTC+1 early?|Is 10 UTC-1 early?
Was it in 44 BC?|Was it in 44 AD?
Is it due by Friday?|Is it due on Friday?
Did I pay up until May?|Did I pay up since May?
Is it open the day before Easter?|Is it open the day after Easter?
When was it biweekly?|When was it weekly?
Is it half past six?|Is it half to six?
Is it quarter to six?|Is it quarter past six?
Who is the ex-president?|Who is the president?
Who is the president-elect?|Who is the president?
Is it bc or so?|Is it ad or so?
""",
    "language": r"""
How do I say thanks?|How do I say please?
How do I say thank you|How do I say cheers
Hello in French|Thanks in French
please in french|thanks in french
When do I use a and when an?|When do I use the and when an?
What does the word 'the' mean?|What does the word 'a' mean?
What is the difference between do and does?|What is the difference between is and are?
Is it a or an?|Is it a or the?
Where do I put the in a sentence?|Where do I put a in a sentence?
print in Python 2|print in Python 3
Is NoSQL fast?|Is SQL fast?
Is it spelled color in American English?|Is it spelled colour in British English?
How do I spell colour?|How do I spell color?
Is pt-BR supported?|Is pt-PT supported?
Is en-GB the default?|Is en-US the default?
JS or TS for a shop?|TS or JS for a shop?
Is Objective-C hard?|Is C hard?
Does the word just mean fair?|Does the word actually mean fair?
""",
    "code": r"""
What does ? do in regex?|What does . do in regex?
what does ; do in bash|what does : do in bash
What does git add . do?|What does git add do?
what does cd .. do|what does cd . do
what does import . mean in go|what does import mean in go
Is a -eq b true?|Is a -ne b true?
What is $0 in bash?|What is $1 in bash?
Is x := 1 valid?|Is x = 1 valid?
What does ... do in JS?|What does .. do in JS?
What does ! do in swift?|What does ? do in swift?
Is a, = f() valid?|Is a = f() valid?
What is :: in C++?|What is : in C++?
What does , do in C?|What does ; do in C?
Is [a, b] ok?|Is (a, b) ok?
What is the . operator?|What is the , operator?
What is a: b in YAML?|What is a b in YAML?
tar -xzf or what|tar -czf or what
what is \n in C|what is \t in C
What is O(n) here?|What is O(1) here?
select count(*) from a|select count(1) from a
""",
}
FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    kind: tuple((one, other) for one, _, other in (line.partition("|") for line in table.strip().splitlines()))
    for kind, table in _TABLE.items()
}
