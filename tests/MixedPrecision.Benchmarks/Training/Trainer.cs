using System.Diagnostics;
using MixedPrecision.Autodiff;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Training;

/// <summary>Trains a model whose parameters are inputs, with the gradient graph of this engine and ONNX Runtime. It can be broken off and goes on where it was.</summary>
/// <param name="Model">Its inputs are those of a batch and the parameters.</param>
/// <param name="Loss">The output that becomes small.</param>
/// <param name="Steps">In all.</param>
/// <param name="Rate">The largest step.</param>
/// <param name="Batch">Inputs of a step, from 0, other than the parameters.</param>
internal sealed record Trainer(ModelProto Model, string Loss, int Steps, double Rate, Func<int, Dictionary<string, Tensor>> Batch)
{
    /// <summary>Trains from where a file says that it was left, and writes there how far it came.</summary>
    /// <param name="seconds">After so many it breaks off.</param>
    /// <returns>Where it came to; null when it broke off.</returns>
    public TrainingState? Run(IReadOnlyList<Parameter> parameters, string kept, double seconds)
    {
        const int Told = 25;
        long start = Stopwatch.GetTimestamp();
        TrainingState state = TrainingState.Read(parameters, kept) ?? TrainingState.Begin(parameters, seed: 1);
        using var training = new OnnxModel(Model, "", "training.onnx");
        string[] names = [.. parameters.Select(p => p.Name)], gradients = [.. names.Select(n => n + ".grad")];
        using Session session = Session.Create(GradientModel.Build(training, Loss, names), SessionSettings.Default);
        var adam = new Adam(Steps, Rate);
        double sum = 0;
        while (state.Step < Steps && Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
        {
            IReadOnlyDictionary<string, Tensor> results = session.Run(With(Batch(state.Step), state), [Loss, .. gradients]);
            Parallel.For(0, names.Length, i =>
            {
                byte[][] arrays = state.Arrays[i];
                adam.Change(
                    state.Step, TrainingState.Floats(arrays[0]), TrainingState.Floats(arrays[1]), TrainingState.Floats(arrays[2]), results[gradients[i]].Values<float>(), parameters[i].Deviation > 0);
            });
            state.Step++;
            sum += results[Loss].Values<float>()[0];
            if (state.Step % Told == 0)
            {
                Console.WriteLine($"step {state.Step}: loss {sum / Told:0.000}, {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s");
                sum = 0;
            }
        }

        state.Write(kept);
        Console.WriteLine($"{state.Step} of {Steps} steps");
        return state.Step == Steps ? state : null;
    }

    /// <summary>A batch and the parameters as they are.</summary>
    public static Dictionary<string, Tensor> With(Dictionary<string, Tensor> batch, TrainingState state)
    {
        foreach ((Parameter parameter, byte[][] arrays) in state.Parameters.Zip(state.Arrays))
        {
            batch.Add(parameter.Name, new Tensor(ElementType.Float, parameter.Shape, arrays[0]));
        }

        return batch;
    }
}
