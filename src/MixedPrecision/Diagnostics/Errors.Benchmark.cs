namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    public static MixedPrecisionException ScenarioDimensionUnknown(Place place, string found, IReadOnlyCollection<string> symbols) => new(
        Codes.ScenarioDimensionUnknown,
        place,
        $"The scenario sets the dimension {Wording.Quote(found)}, which no input of the model has{Wording.DidYouMean(found, symbols)} "
        + (symbols.Count == 0 ? "All of the model's sizes are fixed: leave the scenario's inputs out." : $"The model's dimensions are {Wording.List(symbols)}."));

    public static MixedPrecisionException ScenarioDoesNotRun(string scenario, string reason) => new(
        Codes.ScenarioDoesNotRun,
        Place.None,
        $"The original model does not run in the scenario {Wording.Quote(scenario)}: {reason.TrimEnd('.')}. Give sizes that the model accepts.");

    public static MixedPrecisionException ScenarioTooLarge(Place place, string input, IReadOnlyList<long> shape) => new(
        Codes.ScenarioTooLarge,
        place,
        $"The scenario makes the input {Wording.Quote(input)} of shape [{string.Join(", ", shape)}], which takes more than 2 GB. Give smaller sizes.");

    public static MixedPrecisionException SubgraphDoesNotRun(string model, IReadOnlyCollection<string> layers, string reason) => new(
        Codes.SubgraphDoesNotRun,
        new Place(model, Node: layers.First()),
        $"The model runs, but its part with the layer{(layers.Count == 1 ? "" : "s")} {Wording.List(layers)} does not run when it is cut out to be timed: {reason.TrimEnd('.')}. "
        + "Choose an objective that times no parts (theoretical-time or memory), and report this.");
}
