namespace MixedPrecision.Solving;

/// <summary>Layers that carry one format.</summary>
/// <param name="Members">Their decisions, in order.</param>
/// <param name="Options">Of each format that all of them offer, the flat choice of each member.</param>
internal sealed record SharedGroup(int[] Members, int[][] Options);

/// <summary>The groups of layers that carry one format each, wherever in the model they stand. No layer is in two groups.</summary>
internal sealed class SharedFormats
{
    private readonly Dictionary<int, (int Member, int Choice)[]> options = [];
    private readonly HashSet<int> impossible = [];

    /// <param name="groups">Names of layers.</param>
    /// <param name="decisions">All decisions, consequences behind them.</param>
    /// <param name="firstChoice">Index of the first choice of each decision.</param>
    /// <param name="count">Decisions that are no consequence.</param>
    /// <exception cref="ArgumentException">A name is that of no layer or stands in two groups, or a group offers no common format.</exception>
    public SharedFormats(IReadOnlyList<IReadOnlyList<string>> groups, LayerChoices[] decisions, int[] firstChoice, int count)
    {
        Groups = [.. groups.Select(Find)];
        foreach (SharedGroup group in Groups)
        {
            impossible.UnionWith(group.Members.SelectMany(member => Enumerable.Range(firstChoice[member], decisions[member].Choices.Count)));
            foreach (int[] option in group.Options)
            {
                (int, int)[] all = [.. group.Members.Zip(option)];
                foreach (int choice in option)
                {
                    if (!options.TryAdd(choice, all))
                        throw new ArgumentException($"'{decisions[Array.FindLastIndex(firstChoice, first => first <= choice)].Name}' is in two groups that share a format.");
                    impossible.Remove(choice);
                }
            }
        }

        SharedGroup Find(IReadOnlyList<string> names)
        {
            int[] members = [.. names.Distinct().Select(name => Array.FindIndex(decisions, 0, count, layer => layer.Name == name) is >= 0 and int found
                ? found : throw new ArgumentException($"A format is shared by '{name}', which is no layer."))];
            int[][] common = [.. decisions[members[0]].Choices
                .Select(choice => members.Select(member => IndexOf(decisions[member], choice.Format) is >= 0 and int index ? firstChoice[member] + index : -1).ToArray())
                .Where(option => !option.Contains(-1))];
            return common.Length > 0 ? new SharedGroup(members, common) : throw new ArgumentException($"'{names[0]}' and those that share its format offer none in common.");
        }
    }

    public IReadOnlyList<SharedGroup> Groups { get; }

    /// <summary>Whether a choice can be taken: not of a format that another layer of the group does not offer.</summary>
    public bool IsPossible(int choice) => !impossible.Contains(choice);

    /// <summary>The decisions and flat choices that come with a choice, itself among them; null where its layer shares its format with none.</summary>
    public (int Member, int Choice)[]? With(int choice) => options.GetValueOrDefault(choice);

    private static int IndexOf(LayerChoices layer, string format)
    {
        for (int index = 0; index < layer.Choices.Count; index++)
        {
            if (layer.Choices[index].Format == format)
                return index;
        }

        return -1;
    }
}
