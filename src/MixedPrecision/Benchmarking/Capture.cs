using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarking;

/// <summary>Takes the values that cross cuts, by one run of the original model: what sub-graphs are timed on.</summary>
internal static class Capture
{
    /// <param name="model">The original model.</param>
    /// <param name="values">Values to take: inputs, or values that nodes of the main graph compute.</param>
    /// <param name="scenario">Inputs of the run.</param>
    /// <exception cref="MixedPrecisionException">MPB5002: the model does not run in the scenario.</exception>
    public static IReadOnlyDictionary<string, Tensor> Run(OnnxModel model, IReadOnlyCollection<string> values, Scenario scenario)
    {
        try
        {
            using Session session = Session.Create(Instrumented.Of(model, [.. values.Where(v => !scenario.Inputs.ContainsKey(v))]), SessionSettings.Plain, model.Folder);
            var captured = new Dictionary<string, Tensor>(session.Run(scenario.Inputs));
            foreach ((string name, Tensor value) in scenario.Inputs)
            {
                captured[name] = value;
            }

            return captured;
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.ScenarioDoesNotRun(scenario.Name, e.Message.Replace('\n', ' '));
        }
    }
}
