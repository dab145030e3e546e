"""Reasoning: tasks with exact checkers, a tiny model that thinks, and the reinforcement learning that teaches it.

Text, without torch:

    items       a question with its answer and worked solution; drawing by index; train and test by question
    tasks       the seven families of questions, each a short string of characters
    domains     the families by name with their exact checkers, canaries, and a teacher with a systematic error
    gym         entries of reasoning-gym, of which `tasks` makes items
    expect      what is expected of a value that a user passes
    checking    whether two answers of any text are the same, formulas in a process of their own
    templates   prompts and responses, thinking on and off, open and multiple choice; filters; rewards

The engine, with torch: codec, policies, rollouts, sft, grpo, curriculum.
"""
